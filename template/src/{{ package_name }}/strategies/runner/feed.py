"""The feed: what has happened to a strategy's orders since it was told last, in its order."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.instruments import Instrument
from ...market.money import exact
from ...market.words import Liquidity, Side
from ...trading.balances import Balance
from ...trading.events import AccountEvent, EventType
from ...trading.orders.model import IS_OPEN, Order
from ...trading.orders.states import OrderStatus
from ..strategy import CloseReason, Fill, OrderClosed, OrderKey
from .model import Instance, StrategyOrder

_PAGE: Final = 100
_CLOSED = {
    OrderStatus.CANCELED: CloseReason.CANCELED,
    OrderStatus.REJECTED: CloseReason.REJECTED,
    OrderStatus.DENIED: CloseReason.DENIED,
    OrderStatus.EXPIRED: CloseReason.EXPIRED,
}


class Told(NamedTuple):
    """An event of an order, its number, its time, and the order's name."""

    seq: int
    at: datetime
    event: Fill | OrderClosed
    client_order_id: str


_OWN = (
    select(AccountEvent.seq, AccountEvent.type, AccountEvent.data, AccountEvent.created_at)
    .add_columns(Order.qty, Order.client_order_id)
    .add_columns(StrategyOrder.run, StrategyOrder.role, StrategyOrder.cycle, StrategyOrder.n)
    .add_columns(StrategyOrder.asked, StrategyOrder.filled_qty)
    .join(
        Order, (Order.account_id == AccountEvent.account_id) & (Order.id == AccountEvent.order_id)
    )
    .join(
        StrategyOrder,
        (StrategyOrder.account_id == Order.account_id)
        & (StrategyOrder.strategy_id == Order.strategy_id)
        & (StrategyOrder.client_order_id == Order.client_order_id),
    )
    .where(AccountEvent.type.in_([EventType.FILL, EventType.ORDER]))
    .order_by(AccountEvent.seq)
)


async def next_told(session: AsyncSession, instance: Instance, base_currency: str) -> Told | None:
    """Return the next event of the instance's orders that it has not been told; None: no more.

    What tells it nothing, such as that an order was accepted, is passed over, and so is what is
    left of a run before.
    """
    after = instance.cursor_event
    while True:
        query = _OWN.where(
            AccountEvent.account_id == instance.account_id,
            AccountEvent.seq > after,
            Order.strategy_id == instance.id,
        )
        rows = (await session.execute(query.limit(_PAGE))).all()
        for row in rows:
            event = _event(row, base_currency)
            if event is not None and row.run == instance.run:
                at = _time(row.data["created_at"]) if isinstance(event, Fill) else row.created_at
                return Told(row.seq, at, event, row.client_order_id)
            after = row.seq
        if len(rows) < _PAGE:
            return None


def _event(row: Row[Any], base_currency: str) -> Fill | OrderClosed | None:
    key, data = OrderKey(row.role, row.cycle, row.n), row.data
    if row.type is EventType.FILL:
        if data["flag"] is not None:  # it is not booked; once it is, there is another event
            return None
        qty = Decimal(data["qty"])
        with exact():
            is_last = row.filled_qty + qty == row.qty
        return Fill(
            key,
            Side(data["side"]),
            qty,
            Decimal(data["price"]),
            Decimal(data["fee"]),
            data["fee_currency"] == base_currency,
            Liquidity(data["liquidity"]),
            int(_time(data["created_at"]).timestamp()),
            is_last,
        )
    reason = _CLOSED.get(OrderStatus(data["status"]))
    if reason is None:
        return None
    filled = Decimal(data["filled_qty"])
    code = data["reason_code"] or ""
    at = int(row.created_at.timestamp())
    return OrderClosed(key, reason, code, filled, at, row.asked)


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)


_BASE = (
    select(Instrument.base_currency)
    .where(Instrument.symbol == Instance.symbol)
    .correlate(Instance)
    .scalar_subquery()
)
_FREE = (
    select(Balance.available)
    .where(Balance.account_id == Instance.account_id, Balance.currency == _BASE)
    .correlate(Instance)
    .scalar_subquery()
)
_HELD = (
    select(func.sum(Order.held))
    .where(
        Order.account_id == Instance.account_id,
        Order.strategy_id == Instance.id,
        Order.held_currency == _BASE,
        text(IS_OPEN),
    )
    .correlate(Instance)
    .scalar_subquery()
)
AVAILABLE = func.coalesce(_FREE, Decimal(0)) + func.coalesce(_HELD, Decimal(0))
"""The base currency that an instance may sell, what its own orders hold included."""


async def available(session: AsyncSession, instance: Instance) -> Decimal:
    """Return the base currency that the instance may sell now."""
    query = select(AVAILABLE).where(
        Instance.account_id == instance.account_id, Instance.id == instance.id
    )
    return (await session.scalars(query)).one()
