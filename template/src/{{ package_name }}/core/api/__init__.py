from .health import router as health_router
from .openapi import errors
from .routing import ServiceRouter

__all__ = ["ServiceRouter", "errors", "health_router"]
