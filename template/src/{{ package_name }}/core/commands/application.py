"""The commands of every service: dev · serve · migrate · check-config · openapi · alerts.

Each imports what it does when it is run: what one command needs, the others don't wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import settings_class
from ..process.garbage import end_without_collecting, importing
from .configuration import check_config
from .running import fail, or_fail, settings_or_exit
from .service import FirstSteps, Seed, Service

if TYPE_CHECKING:
    from ..alerts.channels import Channel

PortOption = Annotated[int | None, typer.Option(help="Instead of HTTP_PORT.", min=1, max=65535)]


def create_cli(
    *,
    name: str,
    description: str,
    application: str,
    channels: Callable[[], Sequence[Channel]],
    has_channels: bool,
    seed: Seed,
    first_steps: FirstSteps,
) -> typer.Typer:
    """Create a service's command line, with the commands that every service has.

    `application` is where uvicorn finds the application, such as `package.main:app`. `channels`
    returns those whose credentials are set, `has_channels` is whether there are any to set. `seed`
    gives `dev` an API key: the one it is given if that is still valid, else a new one.
    `first_steps` are commands that `dev` prints, for the API's address and that key.
    """
    cli = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # they print local variables, secrets among them
        help=description,
        context_settings={
            "obj": Service(name, application, channels, has_channels, seed, first_steps)
        },
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
    service: Service = context.obj
    settings = settings_or_exit()
    if settings.environment != "development":
        fail(
            f"`dev` makes accounts with money, so it is not for ENVIRONMENT={settings.environment};"
            f" run `{settings.slug} migrate` and `{settings.slug} serve`"
        )
    from .dev import run_dev

    or_fail(lambda: run_dev(service, port, reload=reload))


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Instead of HTTP_HOST.")] = None,
    port: PortOption = None,
) -> None:
    """Run the API on the PostgreSQL and Redis that the settings name."""
    settings = settings_or_exit()
    with importing():
        from .serving import run_service

    run_service(context.obj, settings, host or settings.http.host, port or settings.http.port)


def migrate(
    former_slug: Annotated[
        str,
        typer.Option("--renamed-from", help="What this service was called when it last migrated."),
    ] = "",
) -> None:
    """Bring the database's tables up to date."""
    settings = settings_or_exit()
    from ..database.migrations import migrate as run_migrations

    or_fail(lambda: run_migrations(settings, former_slug=former_slug), direct=True)
    typer.echo("The database is up to date.")


def openapi(context: typer.Context) -> None:
    """Print the OpenAPI document: for generated clients, and to see what a change changes."""
    service: Service = context.obj
    settings_or_exit()
    from .openapi import print_document

    print_document(service.application)


def send_test(context: typer.Context) -> None:
    """Send a test message to each channel; fail unless all of them have taken it."""
    settings = settings_or_exit()
    from .alerting import send_test_message

    send_test_message(context.obj, settings)
