"""What every command does around its work: settings, a session, errors as one line."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from ..config import Settings, get_settings
from ..config.report import complain
from ..database.session import Database, DatabaseUnreachableError
from ..errors import TradingException
from ..process.dev_servers import DevServerError
from ..process.server import ServerError

ResultT = TypeVar("ResultT")


def settings_or_exit() -> Settings:
    """Return the settings; where they can't be used, say why and end the process."""
    try:
        return get_settings()
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None


def with_session(work: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT:
    """Run `work` with a session on the database of the settings, and return its result."""

    async def run() -> ResultT:
        database = Database(settings)
        try:
            async with database.sessions() as session:
                return await work(session)
        finally:
            await database.close()

    settings = settings_or_exit()
    return or_fail(lambda: asyncio.run(run()))


def or_fail(work: Callable[[], ResultT]) -> ResultT:
    """Do the work; an error that a person can mend is one line and exit code 1."""
    try:
        return work()
    except (TradingException, DevServerError, ServerError) as error:
        message = str(error)
    except CommandError as error:
        message = f"Alembic: {error}"
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None
    except (SQLAlchemyError, DatabaseUnreachableError) as error:
        message = f"PostgreSQL: {str(error).splitlines()[0]}"
    except OSError as error:
        message = str(error) or repr(error)
    typer.echo(message, err=True)
    raise typer.Exit(1)
