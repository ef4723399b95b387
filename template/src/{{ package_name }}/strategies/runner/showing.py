"""Showing strategies: what one has open, and what it is worth."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.money import exact, proceeds
from ...trading.orders.model import Order
from ...trading.orders.states import OPEN
from ...trading.risk.state import TradingState, states_in_force
from ..finding import find_kinds
from .model import Instance, Status
from .upcoming import close_after

PriceOf = Callable[[str], Decimal | None]
"""The last price of an instrument, None while it is unknown."""


async def shown(
    session: AsyncSession, instances: Sequence[Instance], price_of: PriceOf
) -> list[dict[str, Any]]:
    """Return what people want to see of each instance beside its row, by two queries for all."""
    orders = await _open_orders(session, instances)
    halted = await halted_accounts(session, instances)
    return [
        {
            "halted": instance.is_active and instance.account_id in halted,
            "open_orders": orders.get(instance.id, {}),
            "next_candle": _next_candle(instance),
            "run_by": instance.lease_owner,
            "equity": worth(instance, price_of(instance.symbol)),
            "details": details(instance),
        }
        for instance in instances
    ]


async def _open_orders(
    session: AsyncSession, instances: Sequence[Instance]
) -> dict[UUID | None, dict[str, int]]:
    """Return how many orders of each role the instances have open."""
    query = (
        select(Order.strategy_id, Order.role, func.count())
        .where(
            Order.account_id.in_({instance.account_id for instance in instances}),
            Order.strategy_id.in_([instance.id for instance in instances]),
            Order.status.in_(OPEN),
        )
        .group_by(Order.strategy_id, Order.role)
        .order_by(Order.role)
    )
    found: dict[UUID | None, dict[str, int]] = {}
    for strategy_id, role, count in await session.execute(query):
        found.setdefault(strategy_id, {})[role or ""] = count
    return found


async def halted_accounts(session: AsyncSession, instances: Iterable[Instance]) -> set[UUID]:
    """Return those of the instances' accounts whose trading is halted."""
    owners = {instance.account_id for instance in instances}
    states = await states_in_force(session, owners)
    return {owner for owner in owners if states[owner].state is TradingState.HALTED}


def _next_candle(instance: Instance) -> datetime | None:
    if not instance.is_active or instance.cursor_candle is None:
        return None
    return close_after(instance.cursor_candle, instance.timeframe)


def status_text(instance: Instance, *, halted: bool) -> str:
    """Return its condition in words: `running`, or `running (halted)`."""
    is_running = instance.status in (Status.RUNNING, Status.PAUSED)
    return f"{instance.status.value} (halted)" if halted and is_running else instance.status.value


def worth(instance: Instance, price: Decimal | None) -> Decimal | None:
    """Return what the instance is worth at that price, in quote units."""
    if price is None:
        return None
    with exact():
        return instance.cash + proceeds(instance.base, price)


def details(instance: Instance) -> dict[str, Any]:
    """Return what its kind says of its state; nothing where that can't be read any more."""
    kind = find_kinds().get(instance.kind)
    if kind is None or instance.state is None:
        return {}
    try:
        return kind.status(kind.load(instance.state))
    except Exception:  # whatever it is, it is the strategy's, and the rest can be shown
        return {}
