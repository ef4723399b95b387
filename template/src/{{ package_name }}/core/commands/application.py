"""The commands of every service: dev · serve · migrate · check-config · openapi · alerts."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Annotated

import typer

from ..alerts.alerts import Alerts
from ..alerts.channels import Channel
from ..config import settings_class
from ..database.migrations import migrate as run_migrations
from ..process.garbage import end_without_collecting
from ..process.server import Interruptible, check_port, run_server
from .configuration import check_config
from .dev import Seed, run_dev
from .openapi import print_document
from .running import fail, or_fail, refuse_foreign_schema, settings_or_exit

_NO_CHANNEL = (
    "This service has no channel, so alerts are only logged. docs/alerts.md says how to add one,"
    " under `Another channel`; Telegram and Slack come with"
    " `uvx copier update --defaults --data alerts=both`."
)
_NO_CREDENTIALS = (
    "No channel has its credentials, so alerts are only logged; docs/alerts.md says how to get one."
)

PortOption = Annotated[int | None, typer.Option(help="Instead of HTTP_PORT.", min=1, max=65535)]


@dataclass(frozen=True)
class _Service:
    """The facts about the service that the commands need; `context.obj`."""

    name: str
    application: str
    channels: Callable[[], Sequence[Channel]]
    has_channels: bool
    seed: Seed


def create_cli(
    *,
    name: str,
    description: str,
    application: str,
    channels: Callable[[], Sequence[Channel]],
    has_channels: bool,
    seed: Seed,
) -> typer.Typer:
    """Create a service's command line, with the commands that every service has.

    `application` is where uvicorn finds the application, such as `package.main:app`. `channels`
    returns those whose credentials are set, `has_channels` is whether there are any to set. `seed`
    gives `dev` an API key: the one it is given if that is still valid, else a new one.
    """
    cli = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # they print local variables, secrets among them
        help=description,
        context_settings={"obj": _Service(name, application, channels, has_channels, seed)},
    )
    cli.callback()(_options)
    for command in (dev, serve, migrate, check_config, openapi):
        cli.command()(command)
    alerts = typer.Typer(no_args_is_help=True, help="Messages to people.")
    alerts.command("test")(send_test)
    cli.add_typer(alerts, name="alerts")
    return cli


def _print_version(is_asked: bool) -> None:
    if is_asked:
        slug = settings_class().slug
        typer.echo(f"{slug} {version(slug)}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    end_without_collecting()


def dev(
    context: typer.Context,
    port: PortOption = None,
    reload: Annotated[
        bool, typer.Option(help="Whether to start the API anew when its code changes.")
    ] = True,
) -> None:
    """Run everything here: PostgreSQL, Redis, migrations, a paper account, the API."""
    service: _Service = context.obj
    settings = settings_or_exit()
    if settings.environment != "development":
        fail(
            f"`dev` makes accounts with money, so it is not for ENVIRONMENT={settings.environment};"
            f" run `{settings.slug} migrate` and `{settings.slug} serve`"
        )
    or_fail(lambda: run_dev(service.application, port, service.seed, reload=reload))


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Instead of HTTP_HOST.")] = None,
    port: PortOption = None,
) -> None:
    """Run the API on the PostgreSQL and Redis that the settings name."""
    service: _Service = context.obj
    settings = settings_or_exit()
    http = settings.http
    host, port = host or http.host, port or http.port
    or_fail(lambda: check_port(host, port))
    or_fail(lambda: asyncio.run(refuse_foreign_schema(settings)))
    with Interruptible():
        or_fail(lambda: run_server(service.application, host, port, workers=http.workers))


def migrate(
    former_slug: Annotated[
        str,
        typer.Option("--renamed-from", help="What this service was called when it last migrated."),
    ] = "",
) -> None:
    """Bring the database's tables up to date."""
    settings = settings_or_exit()
    or_fail(lambda: run_migrations(settings, former_slug=former_slug))
    typer.echo("The database is up to date.")


def openapi(context: typer.Context) -> None:
    """Print the OpenAPI document: for generated clients, and to see what a change changes."""
    service: _Service = context.obj
    settings_or_exit()
    print_document(service.application)


def send_test(context: typer.Context) -> None:
    """Send a test message to each channel; fail unless all of them have taken it."""
    service: _Service = context.obj
    settings = settings_or_exit()
    channels = service.channels()
    reasons = or_fail(lambda: asyncio.run(Alerts(channels, settings, service.name).test()))
    for channel, reason in reasons.items():
        outcome = f"it did not arrive: {reason}" if reason else "it has arrived"
        typer.echo(f"{channel}: {outcome}", err=bool(reason))
    if not reasons:
        typer.echo(_NO_CREDENTIALS if service.has_channels else _NO_CHANNEL, err=True)
        for note in settings.notes:
            typer.echo(note, err=True)
    if not reasons or any(reasons.values()):
        raise typer.Exit(1)
