"""Sessions of the venue: on the service's pool, and in no transaction of a caller's."""

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.config import Settings
from ...core.database.session import Database
from ...core.database.transactions.guards import GuardedSession
from ...core.database.transactions.single import AUTOCOMMIT
from ...core.database.transactions.transactional import info_of
from .schema import SCHEMA, schema_of


def venue_sessions(database: Database, settings: Settings) -> async_sessionmaker[AsyncSession]:
    """Return what makes sessions in which the schema of the tables is the service's own venue."""
    names = {SCHEMA: schema_of(settings)}
    autocommit = info_of(database.sessions).get(AUTOCOMMIT)
    info = {}
    if autocommit is not None:
        info[AUTOCOMMIT] = autocommit.execution_options(schema_translate_map=names)
    return async_sessionmaker(
        database.engine.execution_options(schema_translate_map=names),
        expire_on_commit=False,
        sync_session_class=GuardedSession,
        info=info,
    )


def venue_reading_sessions(
    database: Database, settings: Settings
) -> async_sessionmaker[AsyncSession]:
    """Return what makes such sessions that only read, each statement by itself."""
    names = {SCHEMA: schema_of(settings)}
    reading = dict(database.reading_sessions.kw)
    reading["bind"] = reading["bind"].execution_options(schema_translate_map=names)
    return async_sessionmaker(**reading)
