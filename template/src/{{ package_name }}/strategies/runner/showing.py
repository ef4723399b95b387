"""Showing strategies: what one has open, and what it is worth."""

from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.money import exact, proceeds
from ...trading.orders.model import Order
from ...trading.orders.states import OPEN
from ...trading.risk.state import TradingState, state_in_force
from ..finding import find_kinds
from .model import Instance, Status
from .upcoming import close_after


async def shown(session: AsyncSession, instance: Instance, price: Decimal | None) -> dict[str, Any]:
    """Return what people want to see of the instance beside its row."""
    query = (
        select(Order.role, func.count())
        .where(
            Order.account_id == instance.account_id,
            Order.strategy_id == instance.id,
            Order.status.in_(OPEN),
        )
        .group_by(Order.role)
        .order_by(Order.role)
    )
    orders = (await session.execute(query)).all()
    in_force = await state_in_force(session, instance.account_id)
    is_halted = instance.is_active and in_force.state is TradingState.HALTED
    next_candle = None
    if instance.is_active and instance.cursor_candle is not None:
        next_candle = close_after(instance.cursor_candle, instance.timeframe)
    return {
        "halted": is_halted,
        "open_orders": {role or "": count for role, count in orders},
        "next_candle": next_candle,
        "run_by": instance.lease_owner,
        "equity": worth(instance, price),
        "details": details(instance),
    }


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
