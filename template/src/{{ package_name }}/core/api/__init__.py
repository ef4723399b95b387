from .health import router as health_router
from .routing import ServiceRouter

__all__ = ["ServiceRouter", "health_router"]
