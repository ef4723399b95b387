"""The engine, and a session per request."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from starlette.requests import HTTPConnection

from ..config import Settings
from ..config.groups import DatabaseSettings
from ..errors.middleware import get_request_id
from .losses import renew_after_losses
from .memo import Memo
from .pool import MonitoredPool
from .pool_monitor import PoolMonitor
from .superuser import warn_of_superuser
from .transactions.guards import GuardedSession, ReadingSession, guard_engine
from .transactions.single import AUTOCOMMIT
from .unreachable import raise_unreachable
from .writes import Writes

# Seconds after DB_STATEMENT_TIMEOUT. PostgreSQL ends a statement by itself, unless it is frozen or
# cut off.
GRACE = 5.0


def timeouts(db: DatabaseSettings) -> dict[str, str]:
    """PostgreSQL's settings that end what takes too long, in its unit, milliseconds."""
    seconds = {
        "statement_timeout": db.statement_timeout,
        "lock_timeout": db.lock_timeout,
        "idle_in_transaction_session_timeout": db.idle_in_transaction_session_timeout,
    }
    return {name: str(max(1, int(value * 1000))) for name, value in seconds.items()}


# Behind PgBouncer each transaction may have another connection to PostgreSQL, so that nothing can
# be left on one for later. A statement without a name is gone with the next one; a named one would
# be closed in a later transaction, on another connection, and stay on this one for ever. It has to
# be in a transaction: between its parsing and its running, another client may come.
WITHOUT_SESSION: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": str,
}


def create_engine(
    settings: Settings,
    session: dict[str, str] | None = None,
    connect_args: dict[str, Any] | None = None,
    **options: Any,
) -> AsyncEngine:
    """Create an engine for the schema of the settings; that of `Database`, or another one.

    `session` are PostgreSQL's settings of each session, such as `timeouts`.
    """
    db = settings.db
    # Nothing but the schema: where it lacks a table, that of another service is not taken instead.
    session = {"search_path": f'"{settings.db_schema}"'} | (session or {})
    engine = create_async_engine(
        settings.sqlalchemy_url,
        hide_parameters=True,
        connect_args={
            "timeout": db.connect_timeout,
            "target_session_attrs": settings.target_session_attrs,
            **_session_options(db, session),
            **(connect_args or {}),
        },
        **options,
    )
    if db.behind_pgbouncer:
        # PgBouncer refuses a connection that asks for them at its start.
        set_in_each_transaction(engine, session)
    return engine


def _session_options(db: DatabaseSettings, session: dict[str, str]) -> dict[str, Any]:
    if not db.behind_pgbouncer:
        return {"server_settings": session}
    return {} if db.prepared_statements else WITHOUT_SESSION


def set_in_each_transaction(engine: AsyncEngine, session: dict[str, str]) -> None:
    """Have each transaction of the engine begin with these settings of PostgreSQL's."""
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in session.items())

    @event.listens_for(engine.sync_engine, "begin")
    def _set(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {calls}")


class Database:
    """The engine and its sessions. Opens no connection until one is needed."""

    def __init__(self, settings: Settings) -> None:
        db = settings.db
        self.engine = create_engine(
            settings,
            timeouts(db),
            {"command_timeout": db.statement_timeout + GRACE},
            poolclass=MonitoredPool,
            pool_size=db.pool_size,
            max_overflow=db.max_overflow,
            pool_timeout=db.pool_timeout,
            pool_recycle=db.pool_recycle,
            pool_pre_ping=True,
        )
        self.monitor = PoolMonitor(self.engine, settings)
        raise_unreachable(self.engine, settings)
        if settings.environment != "development":
            warn_of_superuser(self.engine.sync_engine)
        renew_after_losses(self.engine.sync_engine)
        self.writes = Writes(self.engine.sync_engine)
        self._warm_up = db.pool_size if db.warm_up is None else db.warm_up
        if db.tag_queries:
            event.listen(
                self.engine.sync_engine, "before_cursor_execute", _tag_with_request_id, retval=True
            )
        guard_engine(self.engine.sync_engine)
        # PgBouncer might give the messages of one statement to several servers.
        autocommit = (
            self.engine
            if db.behind_pgbouncer
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self.memo = Memo()
        self.sessions = async_sessionmaker(
            self.engine,
            expire_on_commit=False,
            sync_session_class=GuardedSession,
            info=self.memo.info
            | ({} if db.behind_pgbouncer else {AUTOCOMMIT: autocommit.sync_engine}),
        )
        self.reading_sessions = async_sessionmaker(
            autocommit, expire_on_commit=False, sync_session_class=ReadingSession
        )
        """Makes sessions whose statements are transactions by themselves, and may only read."""

    async def warm_up(self) -> int:
        """Open DB_WARM_UP connections, which stay idle in the pool, and return how many.

        Raises what a connection raises that can't be opened.
        """
        if self._warm_up:
            all_are_open = asyncio.Barrier(self._warm_up)

            async def open_one() -> None:
                async with self.engine.connect():
                    await all_are_open.wait()  # or the next would get the same one

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(self._warm_up):
                        group.create_task(open_one())
            except* Exception as errors:
                raise errors.exceptions[0] from None
        return self._warm_up

    def renew(self, before: float | None = None) -> None:
        """Close the pool's connections, each when it is free; new ones go where the server is.

        Those that were opened before that time, by the monotonic clock, are closed at once, also if
        in use: another server is there now, and nobody would ever answer.
        """
        pool = self.engine.pool
        assert isinstance(pool, MonitoredPool)
        pool.renew()
        if before is not None:
            pool.cut(before)

    async def close(self) -> None:
        await self.engine.dispose()


def _tag_with_request_id(
    _connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any
) -> tuple[str, Any]:
    request_id = get_request_id()  # which is safe within a comment: it has no * and no /
    return (f"/* request_id={request_id} */ {statement}" if request_id else statement), parameters


async def get_db(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yield a session that lives as long as the handler.

    Nothing is committed by itself: write inside `transactional()`. What is left open when the
    handler ends is rolled back.
    """
    database: Database = connection.app.resources.database
    async with database.sessions() as session:
        yield session


async def get_sessions(connection: HTTPConnection) -> async_sessionmaker[AsyncSession]:
    """Return what makes sessions, for a handler that may need none: to make one takes time."""
    database: Database = connection.app.resources.database
    return database.sessions


async def get_reading_db(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Yield a session that only reads, and lives as long as the handler.

    Each statement sees what is committed when it begins, as READ COMMITTED has it anyway; a
    transaction around would be two messages more.
    """
    database: Database = connection.app.resources.database
    async with database.reading_sessions() as session:
        yield session


# "function": closed before the response is sent, so that no client waits on, or is told of, a
# transaction that is still open.
SessionDep = Annotated[AsyncSession, Depends(get_db, scope="function")]
SessionsDep = Annotated[async_sessionmaker[AsyncSession], Depends(get_sessions)]
ReadingSessionDep = Annotated[AsyncSession, Depends(get_reading_db, scope="function")]
