"""The engine, and a session per request."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import MetaData, event
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from starlette.requests import HTTPConnection

from ..config import Settings
from ..errors.middleware import get_request_id


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


class Database:
    """The engine and its sessions. Opens no connection until one is needed."""

    def __init__(self, settings: Settings) -> None:
        db = settings.db
        self.engine: AsyncEngine = create_async_engine(
            settings.sqlalchemy_url,
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
                "server_settings": {"statement_timeout": str(int(db.statement_timeout * 1000))},
            },
        )
        event.listen(self.engine.sync_engine, "do_connect", _connect)
        if db.tag_queries:
            event.listen(
                self.engine.sync_engine, "before_cursor_execute", _tag_with_request_id, retval=True
            )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)

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
