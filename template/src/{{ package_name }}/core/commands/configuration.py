"""The command `check-config`."""

import json
from typing import Annotated

import typer
from pydantic import ValidationError

from ..config import faults_of as faults_of_settings
from ..config import get_settings, settings_class
from ..config.report import complain, effective_values, env_example, shown
from .service import Service
from .tables import echo_table


def check_config(
    context: typer.Context,
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
            typer.echo(json.dumps({"faults": faults_of_settings(error)}, indent=2))
        raise typer.Exit(complain(error)) from None
    values = effective_values(settings)
    if as_json:
        typer.echo(json.dumps(values, indent=2, default=str))
        return
    echo_table(
        ("setting", "value", "from"),
        *((name, shown(entry["value"]), entry["source"]) for name, entry in values.items()),
    )
    for note in settings.notes:
        typer.echo(note)
    service: Service = context.obj
    # Those of another environment can't be made here.
    if channels := [] if environment else service.channels():
        from ..alerts.channels import faults_of

        for fault in faults_of(channels):
            typer.echo(fault)
