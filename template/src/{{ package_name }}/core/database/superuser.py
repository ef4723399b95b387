"""The role of DB_USER may do too much: it is said once."""

from typing import Any

import structlog
from sqlalchemy import Engine, event

_log = structlog.get_logger(__name__)


def warn_of_superuser(engine: Engine) -> None:
    """Log a warning at the first connection as a superuser. PostgreSQL says it without a query."""
    is_told = False

    @event.listens_for(engine, "connect")
    def _look(connection: Any, _record: Any) -> None:
        nonlocal is_told
        server = connection.driver_connection.get_settings()
        if not is_told and getattr(server, "is_superuser", "off") == "on":
            is_told = True
            _log.warning(
                "the service connects as a superuser",
                advice="one that is taken over could read and change the whole server: give "
                "DB_USER a role of its own, docs/runbook.md",
            )
