"""The commands of every service: dev · serve · migrate · check-config · alerts."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from ..alerts.alerts import Alerts
from ..alerts.channels import Channel
from ..config import Settings, faults_of, get_settings, settings_class
from ..config.report import complain, effective_values, env_example, shown
from ..database.migrations import migrate as run_migrations
from ..process.server import Interruptible, check_port, run_server
from .dev import run_dev
from .running import or_fail, settings_or_exit

PortOption = Annotated[int | None, typer.Option(help="Instead of HTTP_PORT.", min=1, max=65535)]


def create_cli(
    *,
    name: str,
    description: str,
    application: str,
    channels: Callable[[], Sequence[Channel]],
    seed: Callable[[Settings, str], Awaitable[str]],
) -> typer.Typer:
    """Create a service's command line, with the commands that every service has.

    `application` is where uvicorn finds the application, such as `package.main:app`. `seed` gives
    `dev` an API key: the one it is given if that is still valid, else a new one.
    """
    cli = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,  # they print local variables, secrets among them
        help=description,
    )
    alerts = typer.Typer(no_args_is_help=True, help="Messages to people.")
    cli.add_typer(alerts, name="alerts")

    @cli.command()
    def dev(
        port: PortOption = None,
        reload: Annotated[
            bool, typer.Option(help="Whether to start the API anew when its code changes.")
        ] = True,
    ) -> None:
        """Run everything here: PostgreSQL, Redis, migrations, a paper account, the API."""
        settings_or_exit()
        or_fail(lambda: run_dev(application, port, seed, reload=reload))

    @cli.command()
    def serve(
        host: Annotated[str | None, typer.Option(help="Instead of HTTP_HOST.")] = None,
        port: PortOption = None,
    ) -> None:
        """Run the API on the PostgreSQL and Redis that the settings name."""
        http = settings_or_exit().http
        host, port = host or http.host, port or http.port
        or_fail(lambda: check_port(host, port))
        with Interruptible():
            or_fail(lambda: run_server(application, host, port, workers=http.workers))

    cli.command()(migrate)
    cli.command()(check_config)

    @alerts.command("test")
    def send_test() -> None:
        """Send a test message to each channel; fail unless all of them have taken it."""
        settings = settings_or_exit()
        reasons = or_fail(lambda: asyncio.run(Alerts(channels(), settings, name).test()))
        _report_test(reasons, settings.notes)

    return cli


def migrate() -> None:
    """Bring the database's tables up to date."""
    settings = settings_or_exit()
    or_fail(lambda: run_migrations(settings))
    typer.echo("The database is up to date.")


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
        typer.echo(env_example(settings_class()), nl=False)
        return
    try:
        settings = settings_class()(environment=environment) if environment else get_settings()
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


def _report_test(reasons: dict[str, str], notes: list[str]) -> None:
    for channel, reason in reasons.items():
        outcome = f"it did not arrive: {reason}" if reason else "it has arrived"
        typer.echo(f"{channel}: {outcome}", err=bool(reason))
    if not reasons:
        typer.echo("No channel has its credentials: alerts are only logged.", err=True)
        for note in notes:
            typer.echo(note, err=True)
    if not reasons or any(reasons.values()):
        raise typer.Exit(1)
