"""The service, put together. Importing this opens no connection."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from pydantic import ValidationError

from . import project
from .api.router import router as api_router
from .api.security import is_admin
from .core.api import health_router
from .core.api.app import ServiceAPI
from .core.api.health import HealthChecks
from .core.api.status import router as status_router
from .core.config import Settings, get_settings
from .core.config.report import complain
from .core.database.pool_monitor import PoolMonitor, RedisPoolMonitor
from .core.database.redis import create_redis
from .core.database.session import Database
from .core.observability.logging import configure_logging
from .core.observability.metrics import note_build
from .core.observability.metrics import router as metrics_router
from .core.observability.telemetry import exporting_telemetry


def create_app(settings: Settings | None = None) -> ServiceAPI:
    """The application. Raises ValidationError if `settings` is None and can't be read."""
    settings = settings or get_settings()
    configure_logging(settings)
    for note in settings.notes:
        structlog.get_logger(__name__).warning(note)
    app = ServiceAPI(
        settings,
        title=project.NAME,
        description=project.DESCRIPTION,
        version=version(project.SLUG),
        lifespan=lifespan,
    )
    note_build(app.version, settings.environment)
    app.include_router(health_router)
    app.include_router(status_router)
    app.include_router(metrics_router)
    app.include_router(api_router)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open what the application's requests use, and close it after the last of them."""
    settings: Settings = app.state.settings
    app.state.database = Database(settings)
    app.state.redis = create_redis(settings)
    app.state.database.monitor = PoolMonitor(app.state.database.engine, settings)
    app.state.redis_monitor = RedisPoolMonitor(app.state.redis, settings)
    app.state.is_admin = is_admin
    app.state.health = HealthChecks(settings)
    try:
        async with exporting_telemetry(project.SLUG, app.version, settings.environment):
            yield
    finally:
        await app.state.health.close()
        await app.state.redis.aclose()
        await app.state.database.close()


try:
    app = create_app()
except ValidationError as error:
    sys.exit(complain(error))
