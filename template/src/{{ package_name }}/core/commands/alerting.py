"""`alerts test`: a message to each channel, to see whether it arrives."""

import asyncio

import typer

from ..alerts.alerts import Alerts
from ..config import Settings
from .running import or_fail
from .service import Service

_NO_CHANNEL = (
    "This service has no channel, so alerts are only logged. docs/alerts.md says how to add one,"
    " under `Another channel`; Telegram and Slack come with"
    " `uvx copier update --defaults --data alerts=both`."
)
_NO_CREDENTIALS = (
    "No channel has its credentials, so alerts are only logged; docs/alerts.md says how to get one."
)


def send_test_message(service: Service, settings: Settings) -> None:
    """Send it and print how it went. Ends the process with 1 unless all channels have taken it."""
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
