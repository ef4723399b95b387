"""Stopping: ending what a strategy has open, as far as it was asked for, before a deadline."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.instruments import Instrument
from ...market.money import floor_to, plain
from ...market.words import OrderType, Side
from ...trading.orders.model import Order
from ...trading.orders.states import OPEN, OrderStatus
from ..strategy import Fill, OrderKey, Place
from . import feed
from .acting import Acting, set_status
from .counting import book_fill
from .model import Desired, Instance, Status, StopMode, StrategyOrder

_ROLE = "close"


async def go_on_stopping(
    session: AsyncSession,
    instance: Instance,
    instrument: Instrument,
    acting: Acting,
    now: datetime,
    last_seq: int,
) -> None:
    """Do the next thing that ends it.

    Its fills are still counted, and it decides nothing any more.
    """
    if instance.stop_mode is StopMode.KEEP:
        await _finish(session, instance, Status.STOPPED, "what it has open was kept")
        return
    await _count_fills(session, instance, instrument, last_seq)
    orders = await open_orders(session, instance)
    assert instance.stop_deadline is not None
    if now >= instance.stop_deadline:
        left = left_over(instance, instrument, orders)
        await _finish(session, instance, Status.STOP_INCOMPLETE, f"left: {left}")
        acting.alert("stop_incomplete", left)
        return
    for order in orders:
        if order.status is not OrderStatus.PENDING_CANCEL and order.role != _ROLE:
            await acting.cancel_stored(order)
    if await open_orders(session, instance):
        return
    qty = await _to_sell(session, instance, instrument)
    if instance.stop_mode is StopMode.CANCEL or not qty:
        left = left_over(instance, instrument, [])
        await _finish(session, instance, Status.STOPPED, f"left: {left}")
        return
    if not acting.can_place:
        return
    n = await _sales(session, instance)
    await acting.place(Place(OrderKey(_ROLE, 0, n), Side.SELL, OrderType.MARKET, qty))


async def open_orders(session: AsyncSession, instance: Instance) -> list[Order]:
    """Return the orders of the instance that may still be filled, oldest first."""
    query = (
        select(Order)
        .where(
            Order.account_id == instance.account_id,
            Order.strategy_id == instance.id,
            Order.status.in_(OPEN),
        )
        .order_by(Order.created_at, Order.id)
    )
    return list(await session.scalars(query, execution_options={"populate_existing": True}))


def left_over(instance: Instance, instrument: Instrument, orders: list[Order]) -> str:
    """Return in words what the instance has open."""
    count = f"{len(orders)} open orders" if len(orders) != 1 else "1 open order"
    return f"{count}, {plain(instance.base)} {instrument.base_currency}"


async def _count_fills(
    session: AsyncSession, instance: Instance, instrument: Instrument, last_seq: int
) -> None:
    while told := await feed.next_told(session, instance, instrument.base_currency):
        if isinstance(told.event, Fill):
            await book_fill(session, instance, told.event, told.client_order_id)
        instance.cursor_event = told.seq
    instance.cursor_event = max(last_seq, instance.cursor_event)


async def _to_sell(session: AsyncSession, instance: Instance, instrument: Instrument) -> Decimal:
    """Return what of its position can be sold now."""
    available = await feed.available(session, instance)
    most = max(Decimal(0), min(instance.base, available))
    return floor_to(most, instrument.size_increment)


async def _sales(session: AsyncSession, instance: Instance) -> int:
    """Return how often it has been tried to sell what is left."""
    query = select(func.count()).where(
        StrategyOrder.account_id == instance.account_id,
        StrategyOrder.strategy_id == instance.id,
        StrategyOrder.run == instance.run,
        StrategyOrder.role == _ROLE,
    )
    return (await session.scalars(query)).one()


async def _finish(session: AsyncSession, instance: Instance, status: Status, reason: str) -> None:
    await set_status(session, instance, status, reason, "service", Desired.STOPPED)
    instance.lease_owner = instance.lease_until = None
    instance.watch_price = instance.watch_since = instance.wake_at = None
    if instance.stop_mode is not StopMode.KEEP:
        instance.state = None  # the next start begins from nothing
