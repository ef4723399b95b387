"""`strategy create` and `strategy params`: a strategy, and its settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ....core.commands import (
    echo_table,
    fail,
    settings_or_exit,
    valid,
    with_session,
    with_transaction,
)
from ....market.candles import Timeframe
from .finding import ACTOR, AccountOption, NameArgument, account_of, found_by
from .printing import echo_plan, second

if TYPE_CHECKING:
    from decimal import Decimal

    from sqlalchemy.ext.asyncio import AsyncSession

    from ..managing import Rules
    from ..model import Instance

ResultT = TypeVar("ResultT")

SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting; repeat it.")
]


def _name(text: str) -> Any:
    from ..model import StrategyName

    return valid(StrategyName)(text)


def create(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Kind of strategy, such as grid.")],
    symbol: Annotated[str, typer.Option(help="The instrument that it trades.")],
    name: Annotated[
        str | None,
        typer.Option(parser=_name, help="Your name for it; the kind's name unless given."),
    ] = None,
    account: Annotated[str, typer.Option(help="Name of the account it trades for.")] = "demo",
    timeframe: Annotated[Timeframe, typer.Option(help="Length of its candles.")] = Timeframe.M15,
    settings: SetOption = None,
    *,
    start: Annotated[bool, typer.Option("--start", help="Start it, too.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what it would do, and store nothing.")
    ] = False,
) -> None:
    """Create a strategy, which does nothing until it is started."""
    from .. import life, managing

    request = managing.StrategyRequest(kind, name or kind, symbol, timeframe, _pairs_of(settings))
    price = _price_of(symbol)

    if dry_run:
        plan = _or_faults(
            with_session, lambda session: managing.planned(session, request, price, _rules())
        )
        echo_plan(plan, price)
        return

    async def make(session: AsyncSession) -> Instance:
        owner = await account_of(session, account)
        instance = await managing.create_strategy(
            session, owner.id, request, price, _rules(), ACTOR
        )
        if start:
            await life.start(session, owner.id, instance.id, ACTOR)
        return instance

    instance = _or_faults(with_transaction, make)
    typer.echo(f"Strategy {instance.name} is created: {instance.id}")
    if not start:
        typer.echo(f"It trades once you start it: strategy start {instance.name}")


def params(name: NameArgument, account: AccountOption = None, settings: SetOption = None) -> None:
    """List the versions of a strategy's settings, or, with --set, make a new one."""
    from .. import managing
    from ..queries import list_params

    if not settings:

        async def read(session: AsyncSession) -> list[tuple[object, ...]]:
            instance = await found_by(session, name, account)
            return [
                (row.version, second(row.created_at), row.changed_by, row.params)
                for row in await list_params(session, instance, limit=100)
            ]

        echo_table(*with_session(read))
        return
    pairs = _pairs_of(settings)
    symbol = with_session(lambda session: _symbol_of(session, name, account))
    price = _price_of(symbol)

    async def change(session: AsyncSession) -> Instance:
        instance = await found_by(session, name, account)
        return await managing.change_params(
            *(session, instance.account_id, instance.id, managing.params_in_use(instance) | pairs),
            *(price, _rules(), ACTOR),
        )

    instance = _or_faults(with_transaction, change)
    typer.echo(f"Strategy {instance.name} has the settings of version {instance.params_version}.")


async def _symbol_of(session: AsyncSession, name: str, account: str | None) -> str:
    return (await found_by(session, name, account)).symbol


def _or_faults(
    within: Callable[[Callable[[AsyncSession], Awaitable[Any]]], Any],
    work: Callable[[AsyncSession], Awaitable[ResultT]],
) -> ResultT:
    """Do the work `within` a session or transaction; tell settings that can't be, one a line."""
    from ....core.errors import TradingException
    from ..codes import StrategyErrorCode

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


def _pairs_of(settings: list[str] | None) -> dict[str, str]:
    from ...checking import read_settings

    pairs, wrong = read_settings(settings or ())
    if wrong:
        raise typer.BadParameter("; ".join(wrong), param_hint="--set")
    return pairs


def _rules() -> Rules:
    from ..managing import rules_of

    return rules_of(settings_or_exit())


def _price_of(symbol: str) -> Decimal | None:
    """Return what the exchange bids for the instrument now, None if nobody knows."""
    from ....core.database.session import Database
    from ....exchanges.client import VenueError
    from ....exchanges.factory import open_exchange

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
