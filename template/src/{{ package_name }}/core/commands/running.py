"""The frame around the work of every command: settings, a session, errors as one line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from ..config import Settings, get_settings
from ..config.report import complain

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

ResultT = TypeVar("ResultT")


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
    settings = settings_or_exit()
    from ..database.schema import refuse_foreign
    from ..database.session import Database

    async def run() -> ResultT:
        database = Database(settings)
        try:
            async with database.engine.connect() as connection:
                await connection.run_sync(refuse_foreign, settings)
            async with database.sessions() as session:
                return await work(session)
        finally:
            await database.close()

    return or_fail(lambda: asyncio.run(run()))


def with_transaction(work: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT:
    """Run `work` as `with_session` does, and commit what it has done, or nothing of it."""
    from ..database.transactions import transactional

    async def run(session: AsyncSession) -> ResultT:
        async with transactional(session) as tx:
            return await work(tx)

    return with_session(run)


def or_fail(work: Callable[[], ResultT], *, direct: bool = False) -> ResultT:
    """Do the work; an error that a person can mend is one line and exit code 1.

    `direct`: the work connects to where DB_DIRECT_HOST and DB_DIRECT_PORT say.
    """
    try:
        return work()
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None
    except Exception as error:
        from .reasons import MENDABLE, reason_of

        if not isinstance(error, MENDABLE):
            raise
        settings = settings_or_exit()
        fail(reason_of(error, settings.direct if direct else settings))


def fail(reason: str) -> NoReturn:
    """Say what is wrong, in one line, and end the process with exit code 1."""
    typer.echo(reason, err=True)
    raise typer.Exit(1)
