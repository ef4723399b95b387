"""The commands `strategy create|list|show|start|pause|resume|stop|params|performance|notes`.

A command imports what it works with when it is run, so that no other one waits for that.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ...core.commands import echo_table, fail, settings_or_exit, with_session, with_transaction
from .printing import echo_notes, echo_plan, figure, second

if TYPE_CHECKING:
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from ...trading.accounts import Account
    from .model import Instance, StrategyNote
    from .settings import RunnerSettings
    from .showing import Performance
    from .stepping import Fees

commands = typer.Typer(no_args_is_help=True, help="Strategies: what trades by itself.")

ResultT = TypeVar("ResultT")

_ACTOR = "cli"
_FOLLOW_SECONDS = 1.0


class Length(StrEnum):
    """The timeframes, for the command line: those of the market are not imported for it."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"


class Mode(StrEnum):
    """The fates of what a strategy has open, for the command line."""

    KEEP = "keep"
    CANCEL = "cancel"
    CLOSE = "close"


NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the strategy.")]
AccountOption = Annotated[
    str | None,
    typer.Option("--account", help="Name of its account; not needed where one has that strategy."),
]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; repeat it.")
]


# --- Making --------------------------------------------------------------------------------------


@commands.command("create")
def create(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Kind of strategy, such as grid.")],
    symbol: Annotated[str, typer.Option(help="The instrument that it trades.")],
    name: Annotated[
        str | None, typer.Option(help="Your name for it; the kind's name unless given.")
    ] = None,
    account: Annotated[str, typer.Option(help="Name of the account it trades for.")] = "demo",
    timeframe: Annotated[Length, typer.Option(help="Length of its candles.")] = Length.M15,
    settings: SetOption = None,
    *,
    start: Annotated[bool, typer.Option("--start", help="Start it, too.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do, and store nothing.")
    ] = False,
) -> None:
    """Create a strategy, which does nothing until it is started."""
    from ...market.candles import Timeframe
    from . import managing

    request = managing.StrategyRequest(
        kind, name or kind, symbol, Timeframe(timeframe.value), _pairs(settings)
    )
    price = _price(symbol)

    if dry_run:
        plan = _or_faults(
            with_session, lambda session: managing.planned(session, request, _fees(), price)
        )
        echo_plan(plan, price)
        return

    async def make(session: AsyncSession) -> Instance:
        owner = await _account(session, account)
        instance = await managing.create_strategy(
            session, owner.id, request, _fees(), price, _ACTOR
        )
        if start:
            await managing.start(session, owner.id, instance.id, _ACTOR)
        return instance

    instance = _or_faults(with_transaction, make)
    typer.echo(f"Strategy {instance.name} is created: {instance.id}")
    if not start:
        typer.echo(f"It trades once you start it: strategy start {instance.name}")


def _or_faults(
    within: Callable[[Callable[[AsyncSession], Awaitable[Any]]], Any],
    work: Callable[[AsyncSession], Awaitable[ResultT]],
) -> ResultT:
    """Do the work `within` a session or transaction; tell settings that can't be, one a line."""
    from ...core.errors import TradingException
    from .codes import StrategyErrorCode

    found: list[dict[str, str]] = []

    async def caught(session: AsyncSession) -> ResultT | None:
        try:
            return await work(session)
        except TradingException as refusal:
            if refusal.code is not StrategyErrorCode.INVALID_STRATEGY_PARAMS:
                raise
            found.extend(refusal.details["faults"])
            return None

    result: ResultT = within(caught)
    if found:
        fail("\n".join(f"{one['param'] or 'settings'}: {one['message']}" for one in found))
    return result


# --- Looking -------------------------------------------------------------------------------------


@commands.command("list")
def list_strategies() -> None:
    """List the strategies: account, name, kind, instrument, timeframe, status, since, reason."""
    from sqlalchemy import select

    from ...trading.accounts import Account
    from .model import Instance
    from .showing import shown, status_text

    async def read(session: AsyncSession) -> list[tuple[str, ...]]:
        query = (
            select(Instance, Account.name)
            .join(Account, Account.id == Instance.account_id)
            .order_by(Account.name, Instance.name)
        )
        rows: list[tuple[str, ...]] = []
        for instance, owner in (await session.execute(query)).all():
            halted = (await shown(session, instance, None))["halted"]
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


@commands.command("show")
def show(name: NameArgument, account: AccountOption = None) -> None:
    """Show a strategy: its condition, what it has open, its settings."""
    import json

    from ...market.money import plain
    from .showing import shown, status_text

    async def read(session: AsyncSession) -> tuple[Instance, dict[str, Any]]:
        instance = await _found(session, name, account)
        return instance, await shown(session, instance, None)

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


@commands.command("notes")
def notes(
    name: NameArgument,
    account: AccountOption = None,
    limit: Annotated[int, typer.Option("-n", min=1, help="How many, the newest.")] = 20,
    *,
    follow: Annotated[bool, typer.Option("-f", help="Go on with what comes; Ctrl-C ends.")] = False,
) -> None:
    """Show why a strategy did something, or did not."""
    from .queries import list_notes

    async def read(session: AsyncSession) -> list[StrategyNote]:
        instance = await _found(session, name, account)
        return (await list_notes(session, instance, limit=limit))[::-1]

    found = with_session(read)
    echo_notes(found)
    if not follow:
        return

    def after(n: int) -> Callable[[AsyncSession], Awaitable[list[StrategyNote]]]:
        async def read_more(session: AsyncSession) -> list[StrategyNote]:
            instance = await _found(session, name, account)
            return await list_notes(session, instance, after=n, limit=1000)

        return read_more

    last = found[-1].n if found else 0
    with suppress(KeyboardInterrupt):
        while True:
            time.sleep(_FOLLOW_SECONDS)
            more = with_session(after(last))
            echo_notes(more)
            last = more[-1].n if more else last


@commands.command("performance")
def performance(
    name: NameArgument,
    account: AccountOption = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write a picture of its equity to this file.")
    ] = None,
) -> None:
    """Show how well a strategy went, and draw it."""
    from . import showing

    async def read(session: AsyncSession) -> tuple[Performance, str]:
        instance = await _found(session, name, account)
        figures = await showing.performance(session, instance, None)
        return figures, await showing.picture(session, instance)

    figures, picture = with_session(read)
    rows = figures._asdict()
    del rows["points"]
    echo_table(*((title.replace("_", " "), figure(value)) for title, value in rows.items()))
    if svg is not None:
        svg.write_text(picture)
        typer.echo(f"Its equity is drawn in {svg}")


# --- Its condition -------------------------------------------------------------------------------


@commands.command("start")
def start(name: NameArgument, account: AccountOption = None) -> None:
    """Start a strategy; one that was stopped with `keep`, or has failed, goes on."""
    from . import managing

    _changed(name, account, managing.start)


@commands.command("pause")
def pause(name: NameArgument, account: AccountOption = None) -> None:
    """Have a strategy open no position; exits and counter orders go on."""
    from . import managing

    _changed(name, account, managing.pause)


@commands.command("resume")
def resume(name: NameArgument, account: AccountOption = None) -> None:
    """Have a paused strategy open positions again."""
    from . import managing

    _changed(name, account, managing.resume)


@commands.command("stop")
def stop(
    name: NameArgument,
    account: AccountOption = None,
    mode: Annotated[
        Mode, typer.Option(help="keep all; cancel its orders; close its position, too.")
    ] = Mode.CANCEL,
) -> None:
    """Stop a strategy. The service does it within a minute, or says what is left."""
    from . import managing
    from .model import StopMode

    runner = _settings()

    async def change(
        session: AsyncSession, account_id: UUID, strategy_id: UUID, actor: str
    ) -> Instance:
        return await managing.stop(
            session, account_id, strategy_id, StopMode(mode.value), actor, runner
        )

    _changed(name, account, change)


def _changed(
    name: str,
    account: str | None,
    change: Callable[[AsyncSession, UUID, UUID, str], Awaitable[Instance]],
) -> None:
    async def run(session: AsyncSession) -> Instance:
        instance = await _found(session, name, account)
        return await change(session, instance.account_id, instance.id, _ACTOR)

    instance = with_transaction(run)
    typer.echo(f"Strategy {instance.name} is {instance.status.value}.")


# --- Its settings --------------------------------------------------------------------------------


@commands.command("params")
def params(name: NameArgument, account: AccountOption = None, settings: SetOption = None) -> None:
    """List the versions of a strategy's settings, or, with --set, make a new one."""
    from . import managing
    from .queries import list_params

    if not settings:

        async def read(session: AsyncSession) -> list[tuple[object, ...]]:
            instance = await _found(session, name, account)
            return [
                (row.version, second(row.created_at), row.changed_by, row.params)
                for row in await list_params(session, instance, limit=100)
            ]

        echo_table(*with_session(read))
        return
    pairs = _pairs(settings)
    symbol = with_session(lambda session: _symbol_of(session, name, account))
    price = _price(symbol)

    async def change(session: AsyncSession) -> Instance:
        instance = await _found(session, name, account)
        return await managing.change_params(
            *(session, instance.account_id, instance.id, {**instance.params, **pairs}),
            *(_fees(), price, _ACTOR),
        )

    instance = _or_faults(with_transaction, change)
    typer.echo(f"Strategy {instance.name} has the settings of version {instance.params_version}.")


async def _symbol_of(session: AsyncSession, name: str, account: str | None) -> str:
    return (await _found(session, name, account)).symbol


def _pairs(settings: list[str] | None) -> dict[str, str]:
    pairs = {}
    for setting in settings or []:
        name, is_pair, value = setting.partition("=")
        if not is_pair:
            raise typer.BadParameter(f"{setting!r} is not NAME=VALUE")
        pairs[name] = value
    return pairs


# --- The parts -----------------------------------------------------------------------------------


async def _account(session: AsyncSession, name: str) -> Account:
    from ...trading.accounts import get_account

    return await get_account(session, name)


async def _found(session: AsyncSession, name: str, account: str | None) -> Instance:
    """Return the strategy of that name or id, or end the process with what to do."""
    from sqlalchemy import String, cast, or_, select

    from .model import Instance

    query = select(Instance).where(or_(Instance.name == name, cast(Instance.id, String) == name))
    if account is not None:
        query = query.where(Instance.account_id == (await _account(session, account)).id)
    found = list(await session.scalars(query.limit(2)))
    if not found:
        fail(f"There is no strategy {name!r}; `strategy list` shows what there is")
    if len(found) > 1:
        fail(f"Several accounts have a strategy {name!r}: say which one with --account")
    return found[0]


def _settings() -> RunnerSettings:
    from .settings import StrategySettings

    settings = settings_or_exit()
    assert isinstance(settings, StrategySettings)
    return settings.strategies


def _fees() -> Fees:
    from ...exchanges.settings import ExchangeSettings
    from .stepping import Fees

    settings = settings_or_exit()
    assert isinstance(settings, ExchangeSettings)
    return Fees(settings.paper.maker_fee, settings.paper.taker_fee)


def _price(symbol: str) -> Decimal | None:
    """Return what the exchange bids for the instrument now, None if nobody knows."""
    from ...core.database.session import Database
    from ...exchanges.client import VenueError
    from ...exchanges.factory import open_exchange

    async def ask(_session: AsyncSession) -> Decimal | None:
        settings = settings_or_exit()
        database = Database(settings)
        try:
            quote = await open_exchange(settings, database).client.quote(symbol)
        except VenueError:
            return None
        finally:
            await database.close()
        return None if quote is None else quote.bid

    return with_session(ask)
