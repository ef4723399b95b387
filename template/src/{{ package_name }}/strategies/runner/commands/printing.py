"""Output of the commands of strategies.

What a command prints is imported when it is run, so that no other one waits for that.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from ....core.commands import echo_table

if TYPE_CHECKING:
    from decimal import Decimal

    from ...strategy import Plan
    from ..model import StrategyNote


def echo_plan(plan: Plan | None, price: Decimal | None) -> None:
    """Print what a strategy would do; None where there is no price to plan by."""
    from ....market.money import plain

    if plan is None or price is None:
        typer.echo("The settings are good. There is no price now, so nothing more can be said.")
        return
    typer.echo(f"At {plain(price)} it would begin with:")
    echo_table(
        ("ROLE", "SIDE", "TYPE", "QTY", "PRICE"),
        *(
            (
                order.role,
                order.side.value,
                order.type.value,
                plain(order.qty),
                "" if order.price is None else plain(order.price),
            )
            for order in plan.orders
        ),
    )
    if plan.levels:
        typer.echo(f"Levels: {' '.join(plain(level) for level in plan.levels)}")
    typer.echo(f"Needs {plain(plan.quote_needed)} quote units, {plain(plan.base_needed)} base.")
    for remark in plan.remarks:
        typer.echo(remark)


def echo_notes(found: list[StrategyNote]) -> None:
    """Print notes, a line each."""
    for note in found:
        typer.echo(f"{second(note.at)}  {note.kind}: {note.text}")


def figure(value: object) -> str:
    """Return a figure as people read it; `-` for none."""
    from decimal import Decimal

    from ....market.money import plain

    if value is None:
        return "-"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return second(value)
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def second(at: datetime) -> str:
    """Return the time to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
