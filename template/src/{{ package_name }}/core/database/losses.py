"""Errors that say that a connection, and with it the pool's others, is of no more use."""

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from .transactions.retry import sqlstate_of

# Classes of SQLSTATE: connection, operator's doing.
_LOST = ("08", "57P")
# The server takes no writes: since the connection was opened, another one has become the primary.
_READ_ONLY = "25006"
# Of any statement whatever it is about: also no resources, and an error of the machine.
_OUTAGE = (*_LOST, "53", "58", _READ_ONLY)


def renew_after_losses(engine: Engine) -> None:
    """Have SQLAlchemy renew the pool where an error says that the server has gone, or moved.

    The statement fails nevertheless; the next one has a new connection, which goes to where the
    server is now.
    """
    event.listen(engine, "handle_error", _recognise)


def is_outage(error: BaseException) -> bool:
    """Tell whether PostgreSQL can't be worked with now, whatever was asked of it."""
    if isinstance(error, DBAPIError):
        sqlstate = sqlstate_of(error) or ""
        return error.connection_invalidated or sqlstate.startswith(_OUTAGE)
    return isinstance(error, OSError | PoolTimeoutError)


def _recognise(context: ExceptionContext) -> None:
    sqlstate = getattr(context.original_exception, "sqlstate", None) or ""
    if sqlstate.startswith(_LOST) or (sqlstate == _READ_ONLY and not _asked_for(context)):
        context.is_disconnect = True


def _asked_for(context: ExceptionContext) -> bool:
    """Tell whether the transaction was to be read-only, so that the server is not to blame."""
    options = context.connection.get_execution_options() if context.connection else {}
    return bool(options.get("postgresql_readonly"))
