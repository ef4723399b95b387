"""`serve`: the API, until a signal."""

import asyncio
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ..alerts.alerts import Alert
from ..alerts.thread import alerts_of_a_thread
from ..config import Settings
from ..database.schema import refuse_foreign
from ..database.session import create_engine
from ..observability.logging import configure_logging
from ..process.connections import Limits
from ..process.server import Interruptible, check_port, run_server
from ..process.workers import Death
from .running import or_fail
from .service import Service


def run_service(service: Service, settings: Settings, host: str, port: int) -> None:
    """Serve until a signal, in one process or in several."""
    or_fail(lambda: check_port(host, port))
    or_fail(lambda: asyncio.run(_refuse_foreign_schema(settings)))
    limits = Limits.of(settings)
    workers = settings.http.workers
    if workers == 1:
        with Interruptible():
            or_fail(lambda: run_server(service.application, host, port, limits=limits))
        return
    configure_logging(settings)  # each worker does so itself
    with Interruptible(), alerts_of_a_thread(service.channels(), settings, service.name) as alerts:

        def on_death(death: Death) -> None:
            details = {"process": death.pid, "reason": death.reason}
            alerts.fire(Alert("worker:died", _DIED, details, "critical", lasts=False))

        or_fail(
            lambda: run_server(
                service.application, host, port, limits=limits, workers=workers, on_death=on_death
            )
        )


async def _refuse_foreign_schema(settings: Settings) -> None:
    """Raise ForeignSchemaError. That PostgreSQL does not answer is for health to tell."""
    quick = settings.health.server_timeout
    limits = {"timeout": quick, "command_timeout": quick}
    engine = create_engine(settings, connect_args=limits, poolclass=NullPool)
    with suppress(OSError, SQLAlchemyError):
        async with engine.connect() as connection:
            await connection.run_sync(refuse_foreign, settings)


_DIED = "A worker process died, and another one was started"
