"""Placing orders."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError

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
from ...market.money import cost, plain
from ...market.words import OrderType, Side, TimeInForce
from .. import metrics
from ..codes import TradingErrorCode
from ..risk.checks import LastPrice, check, worst_price
from ..risk.limits import Limits
from ..wakes import wake_account, wake_dispatcher
from .denying import deny
from .model import Order
from .place_statement import PLACE, parameters, placed
from .queries import find_order


@dataclass(frozen=True)
class OrderRequest:
    """An order as its owner asked for it. `qty` in base units, `limit_price` in quote units.

    `strategy_id` and `role`: the strategy that wants it, and what for.
    """

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None = None
    post_only: bool = False
    strategy_id: UUID | None = None
    role: str | None = None


@dataclass(frozen=True)
class Terms:
    """The terms on which an account's orders are placed now: its limits, and the last price."""

    limits: Limits
    last: LastPrice | None


async def place_order(
    source: Source, account_id: UUID, request: OrderRequest, terms: Terms
) -> tuple[Order, bool]:
    """Store the order, hold what it needs, and have it sent, all or nothing.

    Return it, and whether it is new. `source` is a session, or what makes one. In the session's
    transaction, if it is in one; else in one of its own, which is committed then. The order is for
    reading: it is of no session.

    The same request again returns the order it made the first time, so that a client that got no
    answer may simply send it again. One that our own checks refuse is stored as `denied` and is the
    answer to the same request again.

    Raises TradingException: CLIENT_ORDER_ID_REUSED, INSTRUMENT_NOT_FOUND, or, once the order is
    stored as denied, what it was denied for.
    """
    try:
        order, is_new = await _place_surely(source, account_id, request, terms)
    except TradingException as refusal:
        metrics.REFUSED.labels(refusal.code).inc()
        raise
    if is_new:
        after_commit(source, metrics.PLACED.labels(order.symbol, order.side).inc)
        wake_account(source, account_id)
        wake_dispatcher(source)
    else:
        metrics.REPEATED.inc()
    return order, is_new


async def _place_surely(
    source: Source, account_id: UUID, request: OrderRequest, terms: Terms
) -> tuple[Order, bool]:
    """Place the order; where the connection was lost meanwhile, again: its name says if it was."""
    try:
        return await _place(source, account_id, request, terms)
    except CommitOutcomeUnknownError as unknown:
        try:
            return await _place(source, account_id, request, terms)
        except TradingException:
            raise
        except Exception as error:
            raise unknown from error


_ATTEMPTS = 3
"""Between a refusal and the look at its reason, the reason may vanish; hardly twice."""


async def _place(
    source: Source, account_id: UUID, request: OrderRequest, terms: Terms
) -> tuple[Order, bool]:
    instrument = await _instrument(source, account_id, request)
    if isinstance(instrument, Order):
        return instrument, False
    values = _values(account_id, request, instrument, terms)
    unfit = instrument.unfit(request.qty, values["hold_price"])
    forbidden = _too_small(request, instrument, values) or check(
        request, instrument, terms.limits, terms.last
    )
    for _ in range(_ATTEMPTS):
        if unfit is None and values["held"] is not None:
            try:
                given = parameters(values | {"is_within_limits": forbidden is None})
                rows = await execute_single(source, PLACE, given)
            except IntegrityError:
                rows = []  # an order of that name was placed at the same time
            if rows:
                return placed(values, rows[0].created_at), True
        existing = await _existing(source, account_id, request)
        if existing is not None:
            return existing, False
        refusal = await deny(source, values, terms.limits, unfit, forbidden)
        if refusal is not None:
            raise refusal
    raise AssertionError(f"order {request.client_order_id} is neither placed nor denied")


async def _instrument(
    source: Source, account_id: UUID, request: OrderRequest
) -> Instrument | Order:
    """Return the instrument; what was placed before is the answer, though that is gone since."""
    try:
        return await get_instrument(source, request.symbol)
    except TradingException:
        existing = await _existing(source, account_id, request)
        if existing is None:
            raise
        return existing


async def _existing(source: Source, account_id: UUID, request: OrderRequest) -> Order | None:
    async with session_of(source) as session:
        order = await find_order(session, account_id, request.client_order_id)
    return None if order is None else _same(order, request)


def _too_small(
    request: OrderRequest, instrument: Instrument, values: dict[str, Any]
) -> TradingException | None:
    price = values["hold_price"]
    return None if price is None else instrument.too_small(request.qty, price)


def _values(
    account_id: UUID, request: OrderRequest, instrument: Instrument, terms: Terms
) -> dict[str, Any]:
    """Return the values of the order's row, and of what is stored with it.

    `held` is None where nobody knows what the order may cost: for a buy at an unknown price.
    """
    is_buy = request.side is Side.BUY
    hold_price = request.limit_price
    if hold_price is None and terms.last and terms.last.age <= terms.limits.stale_price:
        hold_price = worst_price(request.side, terms.last.price, instrument, terms.limits)
    held: Decimal | None = request.qty
    if is_buy:
        held = None if hold_price is None else cost(request.qty, hold_price)
    none = Decimal(0)
    return {
        **vars(request),
        "account_id": account_id,
        "id": new_id(),
        "hold_price": hold_price,
        "held_currency": instrument.quote_currency if is_buy else instrument.base_currency,
        "held": held,
        "transaction_id": new_id(),
        "command_id": new_id(),
        "buying": request.qty if is_buy else none,
        "selling": none if is_buy else request.qty,
        "max_open_orders": terms.limits.max_open_orders,
        "max_orders_per_second": terms.limits.max_orders_per_second,
        "max_position": terms.limits.max_position,
        "data": {
            "status": "pending_new",
            "filled_qty": "0",
            "leaves_qty": plain(request.qty),
            "filled_avg_price": None,
            "reason_code": None,
            "venue_order_id": None,
        },
    }


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
