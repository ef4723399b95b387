"""The service, put together. Importing this opens no connection."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

import structlog
from fastapi import FastAPI
from pydantic import ValidationError

from . import project
from .api.router import router as api_router
from .api.security import is_admin
from .core.api import health_router
from .core.api.app import ServiceAPI
from .core.api.status import router as status_router
from .core.config import Settings, get_settings
from .core.config.report import complain
from .core.database.pool_monitor import RedisPoolMonitor
from .core.database.redis import create_redis
from .core.database.session import Database
from .core.health.checks import HealthChecks
from .core.health.heartbeat import Heartbeat
from .core.lifecycle import Lifecycle, closed_in_time
from .core.observability.alerts import Alerts
from .core.observability.logging import configure_logging
from .core.observability.metrics import note_build
from .core.observability.metrics import router as metrics_router
from .core.observability.telemetry import exporting_telemetry
from .core.periodic import every
from .notifications import channels
from .settings import Settings as ServiceSettings


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
        is_admin=is_admin,
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
    settings: ServiceSettings = app.state.settings
    lifecycle: Lifecycle = app.state.lifecycle
    async with Alerts(channels(settings), settings, project.NAME) as alerts:
        app.state.alerts = alerts
        app.state.database = database = Database(settings)
        app.state.redis = redis = create_redis(settings)
        app.state.redis_monitor = redis_monitor = RedisPoolMonitor(redis, settings)
        app.state.before_scrape = [database.monitor.refresh, redis_monitor.refresh]
        app.state.health = health = HealthChecks(settings, alerts)

        async def check_database_pool() -> None:
            database.monitor.check(alerts)

        async def check_redis_pool() -> None:
            await redis_monitor.check(alerts)

        try:
            async with AsyncExitStack() as running:
                running.enter_context(lifecycle.draining_on_signals())
                app.state.heartbeat = await running.enter_async_context(
                    Heartbeat(settings.health.stall_timeout, alerts)
                )
                await health.start()
                for seconds, work in (
                    (settings.health.interval, health.look),
                    (settings.monitor.interval, check_database_pool),
                    (settings.monitor.interval, check_redis_pool),
                ):
                    await running.enter_async_context(every(seconds, work))
                await running.enter_async_context(
                    exporting_telemetry(project.SLUG, app.version, settings.environment)
                )
                await running.enter_async_context(lifecycle.warming_up(database.warm_up))
                yield
                await lifecycle.requests_ended()
        finally:
            await closed_in_time(
                health.close(), redis_monitor.close(), redis.aclose(), database.close()
            )


try:
    app = create_app()
except ValidationError as error:
    sys.exit(complain(error))
