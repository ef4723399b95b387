"""The frame around the work of every command: settings, a session, errors as one line."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

import typer
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.pool import NullPool

from ..config import Settings, get_settings
from ..config.report import complain
from ..database.schema import refuse_foreign
from ..database.session import Database, create_engine
from ..database.transactions import (
    CommitOutcomeUnknownError,
    RetryableTransactionError,
    transactional,
)
from ..errors import TradingException
from ..process.dev_servers import DevServerError
from ..process.server import ServerError
from .reasons import reason_of

ResultT = TypeVar("ResultT")

_MENDABLE = (
    TradingException,
    DevServerError,
    ServerError,
    CommandError,
    SQLAlchemyError,
    RetryableTransactionError,
    CommitOutcomeUnknownError,
    OSError,
)


def settings_or_exit() -> Settings:
    """Return the settings; where they can't be used, say why and end the process."""
    try:
        return get_settings()
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None


def with_session(work: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT:
    """Run `work` with a session on the database of the settings, and return its result.

    Not on the tables of another service.
    """

    async def run() -> ResultT:
        database = Database(settings)
        try:
            async with database.engine.connect() as connection:
                await connection.run_sync(refuse_foreign, settings)
            async with database.sessions() as session:
                return await work(session)
        finally:
            await database.close()

    settings = settings_or_exit()
    return or_fail(lambda: asyncio.run(run()))


def with_transaction(work: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT:
    """Run `work` as `with_session` does, and commit what it has done, or nothing of it."""

    async def run(session: AsyncSession) -> ResultT:
        async with transactional(session) as tx:
            return await work(tx)

    return with_session(run)


async def refuse_foreign_schema(settings: Settings) -> None:
    """Raise ForeignSchemaError. That PostgreSQL does not answer is for health to tell."""
    quick = settings.health.server_timeout
    limits = {"timeout": quick, "command_timeout": quick}
    engine = create_engine(settings, connect_args=limits, poolclass=NullPool)
    with suppress(OSError, SQLAlchemyError):
        async with engine.connect() as connection:
            await connection.run_sync(refuse_foreign, settings)


def or_fail(work: Callable[[], ResultT]) -> ResultT:
    """Do the work; an error that a person can mend is one line and exit code 1."""
    try:
        return work()
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None
    except _MENDABLE as error:
        fail(reason_of(error, settings_or_exit()))


def fail(reason: str) -> NoReturn:
    """Say what is wrong, in one line, and end the process with exit code 1."""
    typer.echo(reason, err=True)
    raise typer.Exit(1)
