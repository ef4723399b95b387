"""Placing orders."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import BindParameter, Table, bindparam, exists, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from ...core.database.tables import new_id
from ...core.database.transactions import (
    CommitOutcomeUnknownError,
    Source,
    after_commit,
    execute_single,
    session_of,
)
from ...core.errors import TradingException
from ...market.instruments import Instrument, get_instrument
from ...market.money import multiply
from ...market.words import OrderType, Side, TimeInForce
from .. import metrics
from ..balances import Balance, insufficient_balance
from ..codes import TradingErrorCode
from .model import Order, OrderStatus
from .queries import find_order


@dataclass(frozen=True)
class OrderRequest:
    """An order as its owner asked for it. `qty` in base units, `limit_price` in quote units."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal

    def required(self, instrument: Instrument) -> tuple[str, Decimal]:
        """Currency and amount that the order needs if it is filled whole."""
        if self.side is Side.BUY:
            return instrument.quote_currency, multiply(self.qty, self.limit_price)
        return instrument.base_currency, self.qty


async def place_order(
    source: Source, account_id: UUID, request: OrderRequest
) -> tuple[Order, bool]:
    """Store the order and hold what it needs, both or neither; return it and whether it is new.

    `source` is a session, or what makes one. In the session's transaction, if it is in one; else in
    one of its own, which is committed then. The order is for reading: it is of no session.

    The same request again returns the order it made the first time, so that a client that got no
    answer may simply send it again. Raises TradingException: CLIENT_ORDER_ID_REUSED,
    INSTRUMENT_NOT_FOUND, INSUFFICIENT_BALANCE, or what `Instrument.check` refuses.
    """
    try:
        order, is_new = await _place_surely(source, account_id, request)
    except TradingException as refusal:
        metrics.REFUSED.labels(refusal.code).inc()
        raise
    if is_new:
        after_commit(source, metrics.PLACED.labels(order.symbol, order.side).inc)
    else:
        metrics.REPEATED.inc()
    return order, is_new


async def _place_surely(
    source: Source, account_id: UUID, request: OrderRequest
) -> tuple[Order, bool]:
    """Place the order; where the connection was lost meanwhile, again: its name says if it was."""
    try:
        return await _place(source, account_id, request)
    except CommitOutcomeUnknownError as unknown:
        try:
            return await _place(source, account_id, request)
        except TradingException:
            raise
        except Exception as error:
            raise unknown from error


async def _place(source: Source, account_id: UUID, request: OrderRequest) -> tuple[Order, bool]:
    try:
        instrument = await get_instrument(source, request.symbol)
        instrument.check(request.qty, request.limit_price)
        currency, amount = request.required(instrument)
        values = {"account_id": account_id, "id": new_id(), **vars(request)}
        values |= {"held_currency": currency, "held": amount}
        rows = await execute_single(source, _HOLD_AND_INSERT, _named(values))
        if rows:
            return Order.of_row(rows[0]), True
        refusal = None
    except (TradingException, IntegrityError) as error:
        refusal = error
    async with session_of(source) as session:
        # What was placed before is the answer, whatever has changed since.
        existing = await find_order(session, account_id, request.client_order_id)
        if existing is not None:
            return _same(existing, request), False
        raise refusal or await insufficient_balance(session, account_id, currency, amount)


def _same(order: Order, request: OrderRequest) -> Order:
    different = [name for name, value in asdict(request).items() if getattr(order, name) != value]
    if different:
        raise TradingException(
            TradingErrorCode.CLIENT_ORDER_ID_REUSED,
            f"client_order_id {request.client_order_id} belongs to an order with another "
            f"{', '.join(different)}",
            {"client_order_id": request.client_order_id, "different": different},
        )
    return order


# --- The statement -------------------------------------------------------------------------------


def _named(values: dict[str, Any]) -> dict[str, Any]:
    # A parameter with the name of a column would be a value for it, in whatever table.
    return {f"new_{name}": value for name, value in values.items()}


def _new(column: InstrumentedAttribute[Any]) -> BindParameter[Any]:
    return bindparam(f"new_{column.key}", type_=column.type)


_held = (
    update(Balance)
    .where(
        Balance.account_id == _new(Order.account_id),
        Balance.currency == _new(Order.held_currency),
        Balance.available >= _new(Order.held),
        # Of two at the same time neither sees the other: the unique key is what guards.
        ~exists().where(
            Order.account_id == _new(Order.account_id),
            Order.client_order_id == _new(Order.client_order_id),
        ),
    )
    .values(available=Balance.available - _new(Order.held), held=Balance.held + _new(Order.held))
    .returning(Balance.account_id)
    .cte("held")
)
_values = {
    column: _new(column)
    for column in (
        *(Order.id, Order.client_order_id, Order.symbol, Order.side, Order.type),
        *(Order.time_in_force, Order.qty, Order.limit_price, Order.held_currency, Order.held),
    )
} | {
    Order.account_id: _held.c.account_id,
    Order.status: literal(OrderStatus.NEW, Order.status.type),
    Order.filled_qty: literal(Decimal(0), Order.filled_qty.type),
}
_orders = cast(Table, Order.__table__)
_HOLD_AND_INSERT = (
    insert(_orders)
    .from_select(
        [column.key for column in _values], select(*_values.values()), include_defaults=False
    )
    .returning(*_orders.columns)
)
"""One statement checks and moves the money and stores the order, so that no concurrent order can
spend the same money. It returns nothing where there is too little, or an order of that name."""
