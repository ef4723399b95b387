"""Counting what a strategy has: its fills, and what it is worth at each close."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.candles import Candle
from ...market.money import cost, exact, multiply, proceeds
from ...market.words import Side
from ..strategy import Fill
from .model import Instance, StrategyOrder


async def book_fill(
    session: AsyncSession, instance: Instance, fill: Fill, client_order_id: str
) -> None:
    """Count the fill in what the strategy has, and in what of its order is filled."""
    with exact():
        if fill.side is Side.BUY:
            instance.base += fill.qty
            instance.cash -= cost(fill.qty, fill.price)
        else:
            instance.base -= fill.qty
            instance.cash += proceeds(fill.qty, fill.price)
        if fill.fee_is_base:
            instance.base -= fill.fee
        else:
            instance.cash -= fill.fee
    await session.execute(
        update(StrategyOrder)
        .where(
            StrategyOrder.account_id == instance.account_id,
            StrategyOrder.strategy_id == instance.id,
            StrategyOrder.client_order_id == client_order_id,
        )
        .values(filled_qty=StrategyOrder.filled_qty + fill.qty)
        .execution_options(synchronize_session=False)
    )


class Worth(NamedTuple):
    """Funds of a strategy and their worth at a time; None where nobody wants to know."""

    at: datetime | None
    cash: Decimal | None
    base: Decimal | None
    mark: Decimal | None
    equity: Decimal | None


def worth_at(instance: Instance, candle: Candle) -> Worth:
    """Return what the strategy is worth at the close of the candle."""
    mark = multiply(Decimal(candle.close), candle.scale.tick)
    with exact():
        equity = instance.cash + proceeds(instance.base, mark)
    return Worth(candle.closed_at, instance.cash, instance.base, mark, equity)
