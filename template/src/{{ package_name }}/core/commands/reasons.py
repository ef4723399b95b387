"""The text of a command about an error: what is wrong, and the next step."""

from alembic.script.revision import MultipleHeads, ResolutionError
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ..config import Settings
from ..database.transactions import CommitOutcomeUnknownError, RetryableTransactionError
from ..database.transactions.retry import sqlstate_of
from ..database.unreachable import DatabaseUnreachableError, address_of
from ..errors import TradingException
from ..process.dev_servers import DevServerError
from ..process.server import ServerError

MENDABLE = (
    TradingException,
    DevServerError,
    ServerError,
    CommandError,
    SQLAlchemyError,
    RetryableTransactionError,
    CommitOutcomeUnknownError,
    OSError,
)
"""The errors that a person can mend."""

_REASONS: dict[str | type[BaseException] | None, str] = {
    DatabaseUnreachableError: "{said}. DB_HOST and DB_PORT, or DATABASE_URL, say where it is",
    # PostgreSQL's errors, by SQLSTATE:
    "28000": "{server} lets {user!r} not in: {said}. DB_USER, or DATABASE_URL, says who connects",
    "28P01": "{server} refuses the password of {user!r}. DB_PASSWORD, or DATABASE_URL, has it",
    "3D000": "{server} has no database {name!r}. Create it, or correct DB_NAME, or DATABASE_URL",
    "42501": "{said}. Grant the role {user!r} what it needs, or connect as another, DB_USER",
    "42P01": "{said} in the schema {schema!r}: run `{slug} migrate`",
    "42703": "{said}, the tables are older than this code: run `{slug} migrate`",
    "53300": "{server} has no connection left: {said}. Raise its max_connections, or end others",
    RetryableTransactionError: "{said}, since others changed the same rows. Run the command again",
    CommitOutcomeUnknownError: "{said}. Look whether it was done before you run the command again",
    # Alembic's errors, by their cause:
    MultipleHeads: (
        "Two migrations are the newest, say yours and one of an update: "
        '`alembic merge heads -m "merge heads"` joins them'
    ),
    ResolutionError: (
        "The schema {schema!r} has a migration that this version of {slug} does not know ({said})."
        " Run the version that made it; or, if these are another service's tables, set DB_SCHEMA"
    ),
}


def reason_of(error: Exception, settings: Settings) -> str:
    """Return one line for a person, without names of classes."""
    refused = error.sqlstate if isinstance(error, DatabaseUnreachableError) else None
    kinds = (refused or sqlstate_of(error), type(error), type(error.__cause__))
    known = next((_REASONS[kind] for kind in kinds if kind in _REASONS), None)
    said = str(error.orig if isinstance(error, DBAPIError) else error).partition("\n")[0]
    if isinstance(error, DatabaseUnreachableError) and refused in _REASONS:
        said = error.reason
    if known is None:
        is_of_postgres = isinstance(error, DBAPIError)
        return f"PostgreSQL: {said}" if is_of_postgres else said or repr(error)
    url = settings.sqlalchemy_url
    return known.format(
        said=said,
        server=f"PostgreSQL at {address_of(settings)}",
        user=url.username,
        name=url.database,
        schema=settings.db_schema,
        slug=settings.slug,
    )
