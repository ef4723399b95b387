"""Counting what a strategy has: its fills, and what it is worth at each close."""

from decimal import Decimal

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.candles import Candle
from ...market.money import cost, exact, multiply, proceeds
from ...market.words import Side
from ..strategy import Fill
from .model import EquitySnapshot, Instance, StrategyOrder


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


async def store_equity(session: AsyncSession, instance: Instance, candle: Candle) -> None:
    """Store what the strategy is worth at the close of the candle."""
    mark = multiply(Decimal(candle.close), candle.scale.tick)
    with exact():
        equity = instance.cash + proceeds(instance.base, mark)
    await session.execute(
        insert(EquitySnapshot)
        .values(
            account_id=instance.account_id,
            strategy_id=instance.id,
            at=candle.closed_at,
            cash=instance.cash,
            base=instance.base,
            mark=mark,
            equity=equity,
        )
        .on_conflict_do_nothing()
    )
