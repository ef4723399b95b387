"""`strategy list`, `show`, `notes` and `performance`: what it is, why, and how well it went."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ....core.commands import echo_table, with_session
from .finding import AccountOption, NameArgument, found_by
from .printing import echo_notes, figure, second

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from ..measuring import Performance
    from ..model import Instance, StrategyNote

_FOLLOW_SECONDS = 1.0


def list_strategies() -> None:
    """List the strategies: account, name, kind, instrument, timeframe, status, since, reason."""
    from sqlalchemy import select

    from ....trading.accounts import Account
    from ..model import Instance
    from ..showing import halted_accounts, status_text

    async def read(session: AsyncSession) -> list[tuple[str, ...]]:
        query = (
            select(Instance, Account.name)
            .join(Account, Account.id == Instance.account_id)
            .order_by(Account.name, Instance.name)
        )
        found = (await session.execute(query)).all()
        halted_ones = await halted_accounts(session, [instance for instance, _ in found])
        rows: list[tuple[str, ...]] = []
        for instance, owner in found:
            halted = instance.is_active and instance.account_id in halted_ones
            rows.append(
                (
                    *(owner, instance.name, instance.kind, instance.symbol),
                    *(instance.timeframe.value, status_text(instance, halted=halted)),
                    *(second(instance.status_since), instance.status_reason),
                )
            )
        return rows

    rows = with_session(read)
    if not rows:
        typer.echo("There is none; `strategy create KIND --symbol SYMBOL` makes one.")
        return
    header = ("ACCOUNT", "NAME", "KIND", "SYMBOL", "TF", "STATUS", "SINCE", "REASON")
    echo_table(header, *rows)


def show(name: NameArgument, account: AccountOption = None) -> None:
    """Show a strategy: its condition, what it has open, its settings."""
    import json

    from ....market.money import plain
    from ..showing import shown, status_text

    async def read(session: AsyncSession) -> tuple[Instance, dict[str, Any]]:
        instance = await found_by(session, name, account)
        (more,) = await shown(session, [instance], lambda _symbol: None)
        return instance, more

    instance, more = with_session(read)
    orders = ", ".join(f"{count} {role}" for role, count in more["open_orders"].items())
    echo_table(
        ("name", instance.name),
        ("id", instance.id),
        ("kind", instance.kind),
        ("trades", f"{instance.symbol}, {instance.timeframe.value}"),
        ("status", status_text(instance, halted=more["halted"])),
        ("since", second(instance.status_since)),
        ("reason", instance.status_reason),
        ("open orders", orders or "none"),
        ("base", plain(instance.base)),
        ("capital", plain(instance.capital)),
        ("next candle", second(more["next_candle"]) if more["next_candle"] else ""),
        ("run by", more["run_by"] or "nobody"),
    )
    typer.echo(f"settings, version {instance.params_version}:")
    typer.echo(json.dumps(instance.params, indent=2))
    if more["details"]:
        typer.echo("state:")
        typer.echo(json.dumps(more["details"], indent=2))


def notes(
    name: NameArgument,
    account: AccountOption = None,
    limit: Annotated[int, typer.Option("-n", min=1, help="How many, the newest.")] = 20,
    *,
    follow: Annotated[bool, typer.Option("-f", help="Go on with what comes; Ctrl-C ends.")] = False,
) -> None:
    """Show why a strategy did something, or did not."""
    from ..queries import list_notes

    async def read(session: AsyncSession) -> list[StrategyNote]:
        instance = await found_by(session, name, account)
        return (await list_notes(session, instance, limit=limit))[::-1]

    found = with_session(read)
    echo_notes(found)
    if not follow:
        return

    def after(n: int) -> Callable[[AsyncSession], Awaitable[list[StrategyNote]]]:
        async def read_more(session: AsyncSession) -> list[StrategyNote]:
            instance = await found_by(session, name, account)
            return await list_notes(session, instance, after=n, limit=1000)

        return read_more

    last = found[-1].n if found else 0
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(_FOLLOW_SECONDS)
            more = with_session(after(last))
            echo_notes(more)
            last = more[-1].n if more else last


def performance(
    name: NameArgument,
    account: AccountOption = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write a picture of its equity to this file.")
    ] = None,
) -> None:
    """Show how well a strategy went, and draw it."""
    from .. import measuring

    async def read(session: AsyncSession) -> tuple[Performance, str]:
        instance = await found_by(session, name, account)
        figures = await measuring.measure(session, instance, None)
        return figures, await measuring.picture(session, instance)

    figures, picture = with_session(read)
    rows = figures._asdict()
    del rows["points"]
    echo_table(*((title.replace("_", " "), figure(value)) for title, value in rows.items()))
    if svg is not None:
        svg.write_text(picture)
        typer.echo(f"Its equity is drawn in {svg}")
