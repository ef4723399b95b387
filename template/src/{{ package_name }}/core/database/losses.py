"""Errors that say that a connection, and with it the pool's others, is of no more use."""

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

# Classes of SQLSTATE: connection, operator's doing.
_LOST = ("08", "57P")
# The server takes no writes: since the connection was opened, another one has become the primary.
_READ_ONLY = "25006"


def renew_after_losses(engine: Engine) -> None:
    """Have SQLAlchemy renew the pool where an error says that the server has gone, or moved.

    The statement fails nevertheless; the next one has a new connection, which goes to where the
    server is now.
    """
    event.listen(engine, "handle_error", _recognise)


def _recognise(context: ExceptionContext) -> None:
    sqlstate = getattr(context.original_exception, "sqlstate", None) or ""
    if sqlstate.startswith(_LOST) or (sqlstate == _READ_ONLY and not _asked_for(context)):
        context.is_disconnect = True


def _asked_for(context: ExceptionContext) -> bool:
    """Tell whether the transaction was to be read-only, so that the server is not to blame."""
    options = context.connection.get_execution_options() if context.connection else {}
    return bool(options.get("postgresql_readonly"))
