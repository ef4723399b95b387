"""The service, put together. Importing this opens no connection."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from . import project
from .api.router import router as api_router
from .core.api import health_router
from .core.api.app import ServiceAPI
from .core.api.health import HealthChecks
from .core.config import Settings, get_settings
from .core.database.redis import create_redis
from .core.database.session import Database
from .core.observability.logging import configure_logging
from .core.observability.metrics import router as metrics_router


def create_app(settings: Settings | None = None) -> ServiceAPI:
    """The application. Raises ConfigurationError if `settings` is None and can't be read."""
    settings = settings or get_settings()
    configure_logging(settings)
    app = ServiceAPI(
        settings,
        title=project.NAME,
        description=project.DESCRIPTION,
        version=version(project.SLUG),
        lifespan=lifespan,
    )
    app.include_router(health_router)
    app.include_router(metrics_router)
    app.include_router(api_router)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the application's requests use, and close it after the last of them."""
    settings: Settings = app.state.settings
    app.state.database = Database(settings)
    app.state.redis = create_redis(settings)
    app.state.health = HealthChecks(settings)
    try:
        yield
    finally:
        await app.state.health.close()
        await app.state.redis.aclose()
        await app.state.database.close()


app = create_app()
