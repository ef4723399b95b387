"""The command line: dev · serve · migrate · check-config · seed-demo · keys · alerts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from traceback import walk_tb
from typing import Annotated, TypeVar
from uuid import UUID

import typer
from alembic.util import CommandError
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from . import project
from .core.config import Settings, faults_of, get_settings
from .core.config.report import complain, effective_values, env_example, shown
from .core.database.migrations import migrate as run_migrations
from .core.database.session import Database
from .core.database.transactions import transactional
from .core.devservers import DevServerError
from .core.errors import TradingException
from .core.observability.alerts import Alerts
from .dev import run_dev
from .notifications import channels
from .server import Interruptible, ServerError, check_port, run_server
from .settings import Settings as ServiceSettings
from .trading.accounts import (
    Scope,
    create_api_key,
    get_account,
    list_api_keys,
    revoke_api_key,
)
from .trading.demo import ACCOUNT
from .trading.demo import seed_demo as seed

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, secrets among them
    help=project.DESCRIPTION,
)
keys = typer.Typer(no_args_is_help=True, help="API keys.")
cli.add_typer(keys, name="keys")
alerts = typer.Typer(no_args_is_help=True, help="Messages to people.")
cli.add_typer(alerts, name="alerts")

PortOption = Annotated[int | None, typer.Option(help="Instead of HTTP_PORT.", min=1, max=65535)]

ResultT = TypeVar("ResultT")


@cli.command()
def dev(
    port: PortOption = None,
) -> None:
    """Run everything on this machine: PostgreSQL, Redis, migrations, a paper account, the API."""
    _settings()
    _or_fail(lambda: run_dev(port))


@cli.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Instead of HTTP_HOST.")] = None,
    port: PortOption = None,
) -> None:
    """Run the API on the PostgreSQL and Redis that the settings name."""
    http = _settings().http
    host, port = host or http.host, port or http.port
    _or_fail(lambda: check_port(host, port))
    with Interruptible():
        run_server(host, port, http.workers)


@cli.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    settings = _settings()
    _or_fail(lambda: run_migrations(settings))
    typer.echo("The database is up to date.")


@cli.command()
def check_config(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    environment: Annotated[
        str | None, typer.Option(help="Would it start there? Instead of ENVIRONMENT.")
    ] = None,
    example: Annotated[
        bool, typer.Option("--env-example", help="Print .env.example: every setting explained.")
    ] = False,
) -> None:
    """Print the settings in effect, secrets masked; or what is wrong with them."""
    if example:
        typer.echo(env_example(ServiceSettings), nl=False)
        return
    try:
        settings = ServiceSettings(environment=environment) if environment else get_settings()
    except ValidationError as error:
        if as_json:
            typer.echo(json.dumps({"faults": faults_of(error)}, indent=2))
        raise typer.Exit(complain(error)) from None
    values = effective_values(settings)
    if as_json:
        typer.echo(json.dumps(values, indent=2))
        return
    table = [("setting", "value", "from")]
    table += [(name, shown(entry["value"]), entry["source"]) for name, entry in values.items()]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        typer.echo("  ".join(cells).rstrip())
    for note in settings.notes:
        typer.echo(note)


@cli.command()
def seed_demo() -> None:
    """Create the paper account `demo` and its instruments, where they are missing."""
    account = _with_session(seed)
    typer.echo(f"Account {account.name} ({account.mode}) is ready.")


@keys.command()
def create(
    scopes: Annotated[str, typer.Option(help="Of read, trade, admin; separated by commas.")],
    account: Annotated[str, typer.Option(help="Name of the account the key acts for.")] = ACCOUNT,
) -> None:
    """Create an API key and print it. It can't be shown again: only its hash is stored."""
    try:
        chosen = {Scope(scope.strip()) for scope in scopes.split(",")}
    except ValueError:
        raise typer.BadParameter(f"{scopes!r} is not a list of read, trade, admin") from None

    async def create_key(session: AsyncSession) -> str:
        async with transactional(session):
            return await create_api_key(session, await get_account(session, account), chosen)

    typer.echo(_with_session(create_key))


@keys.command("list")
def list_keys() -> None:
    """List the API keys: id, account, scopes, and whether they were revoked."""
    for key in _with_session(list_api_keys):
        state = "revoked" if key.revoked_at else "active"
        typer.echo(f"{key.id}  {key.account.name}  {','.join(key.scopes)}  {state}")


@keys.command()
def revoke(key_id: Annotated[UUID, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Revoke an API key: from now on it is answered 401."""

    async def revoke_key(session: AsyncSession) -> None:
        async with transactional(session):
            await revoke_api_key(session, key_id)

    _with_session(revoke_key)
    typer.echo(f"API key {key_id} is revoked.")


@alerts.command("test")
def send_test() -> None:
    """Send a test message to each channel; fail unless all of them have taken it."""
    settings = _settings()
    assert isinstance(settings, ServiceSettings)
    reasons = _or_fail(lambda: asyncio.run(_test_alerts(settings)))
    for channel, reason in reasons.items():
        outcome = f"it did not arrive: {reason}" if reason else "it has arrived"
        typer.echo(f"{channel}: {outcome}", err=bool(reason))
    if not reasons:
        typer.echo("No channel has its credentials: alerts are only logged.", err=True)
        for note in settings.notes:
            typer.echo(note, err=True)
    if not reasons or any(reasons.values()):
        raise typer.Exit(1)


async def _test_alerts(settings: ServiceSettings) -> dict[str, str]:
    return await Alerts(channels(settings), settings, project.NAME).test()


def _settings() -> Settings:
    """The settings; where they can't be used, say why and end the process."""
    try:
        return get_settings()
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None


def _with_session(work: Callable[[AsyncSession], Awaitable[ResultT]]) -> ResultT:
    async def run() -> ResultT:
        database = Database(settings)
        try:
            async with database.sessions() as session:
                return await work(session)
        finally:
            await database.close()

    settings = _settings()
    return _or_fail(lambda: asyncio.run(run()))


def _is_of_database(error: OSError) -> bool:
    """Whether it comes from connecting to PostgreSQL, rather than from a file."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__))
    by_driver = any(frame.f_globals.get("__name__", "").startswith("asyncpg.") for frame in frames)
    return by_driver or str(error).startswith("PostgreSQL can't be reached")


def _or_fail(work: Callable[[], ResultT]) -> ResultT:
    """Do the work; an error that a person can mend is one line, not a traceback."""
    try:
        return work()
    except (TradingException, DevServerError, ServerError) as error:
        message = str(error)
    except CommandError as error:
        message = f"Alembic: {error}"
    except ValidationError as error:
        raise typer.Exit(complain(error)) from None
    except SQLAlchemyError as error:
        message = f"PostgreSQL: {str(error).splitlines()[0]}"
    except OSError as error:
        message = str(error) or repr(error)
        if _is_of_database(error):
            message = f"PostgreSQL: {message}"
    typer.echo(message, err=True)
    raise typer.Exit(1)
