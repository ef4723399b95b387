"""The engine, and a session per request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from starlette.requests import HTTPConnection

from ..config import Settings


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
            echo=settings.debug,
            hide_parameters=True,
            connect_args={
                "timeout": db.connect_timeout,
                # PostgreSQL ends a statement by itself, unless it is frozen or cut off.
                "command_timeout": db.statement_timeout + 5,
                "server_settings": {"statement_timeout": str(int(db.statement_timeout * 1000))},
            },
        )
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    async def close(self) -> None:
        await self.engine.dispose()


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
