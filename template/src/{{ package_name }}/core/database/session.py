"""The engine, and a session per request."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends
from sqlalchemy import Connection, MetaData, event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from starlette.requests import HTTPConnection

from ..config import Settings
from ..config.groups import DatabaseSettings
from ..errors.middleware import get_request_id
from .pool import MonitoredPool
from .pool_monitor import PoolMonitor


class Base(DeclarativeBase):
    """Base of every table. Constraints are named by rule, so that a migration can drop them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def timeouts(db: DatabaseSettings) -> dict[str, str]:
    """PostgreSQL's settings that end what takes too long, in its unit, milliseconds."""
    seconds = {
        "statement_timeout": db.statement_timeout,
        "lock_timeout": db.lock_timeout,
        "idle_in_transaction_session_timeout": db.idle_in_transaction_session_timeout,
    }
    return {name: str(max(1, int(value * 1000))) for name, value in seconds.items()}


# Behind PgBouncer each transaction may have another connection to PostgreSQL, so that nothing can
# be left on one for later; and a statement's name must be nobody else's.
WITHOUT_SESSION: dict[str, Any] = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"_{uuid4().hex}",
}


def _set_timeouts_in_each_transaction(engine: AsyncEngine, values: dict[str, str]) -> None:
    # PgBouncer refuses a connection that asks for them at its start.
    calls = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in values.items())

    @event.listens_for(engine.sync_engine, "begin")
    def _set_timeouts(connection: Connection) -> None:
        connection.exec_driver_sql(f"SELECT {calls}")


class Database:
    """The engine and its sessions. Opens no connection until one is needed."""

    def __init__(self, settings: Settings) -> None:
        db = settings.db
        self.engine: AsyncEngine = create_async_engine(
            settings.sqlalchemy_url,
            poolclass=MonitoredPool,
            pool_size=db.pool_size,
            max_overflow=db.max_overflow,
            pool_timeout=db.pool_timeout,
            pool_recycle=db.pool_recycle,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "timeout": db.connect_timeout,
                # PostgreSQL ends a statement by itself, unless it is frozen or cut off.
                "command_timeout": db.statement_timeout + 5,
                **(WITHOUT_SESSION if db.behind_pgbouncer else {"server_settings": timeouts(db)}),
            },
        )
        self.monitor = PoolMonitor(self.engine, settings)
        event.listen(self.engine.sync_engine, "do_connect", _connect)
        self._warm_up = db.pool_size if db.warm_up is None else db.warm_up
        if db.tag_queries:
            event.listen(
                self.engine.sync_engine, "before_cursor_execute", _tag_with_request_id, retval=True
            )
        if db.behind_pgbouncer:
            _set_timeouts_in_each_transaction(self.engine, timeouts(db))
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)

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

    async def close(self) -> None:
        await self.engine.dispose()


def _connect(dialect: Any, _record: Any, args: Any, options: Any) -> Any:
    try:
        return dialect.connect(*args, **options)
    except OSError as error:  # a time-out and a missing socket, too
        raise ConnectionError(f"PostgreSQL can't be reached: {error!r}") from error


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
    database: Database = connection.app.state.database
    async with database.sessions() as session:
        yield session


# "function": closed before the response is sent, so that no client waits on, or is told of, a
# transaction that is still open.
SessionDep = Annotated[AsyncSession, Depends(get_db, scope="function")]
