"""Placing orders."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.tables import new_id
from ...core.database.transactions import after_commit, transactional
from ...core.errors import TradingException
from ...market.instruments import Instrument, get_instrument
from ...market.money import multiply
from ...market.words import OrderType, Side, TimeInForce
from .. import metrics
from ..balances import hold
from ..codes import TradingErrorCode
from .model import Order
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
    session: AsyncSession, account_id: UUID, request: OrderRequest
) -> tuple[Order, bool]:
    """Store the order and hold what it needs, both or neither; return it and whether it is new.

    In the caller's transaction, if there is one: a refusal then ends that one too.

    The same request again returns the order it made the first time, so that a client that got no
    answer may simply send it again. Raises TradingException: CLIENT_ORDER_ID_REUSED,
    INSTRUMENT_NOT_FOUND, INSUFFICIENT_BALANCE, or what `Instrument.check` refuses.
    """
    try:
        async with transactional(session, nested="join"):
            order, is_new = await _place(session, account_id, request)
            placed = metrics.PLACED.labels(order.symbol, order.side)
            after_commit(session, (placed if is_new else metrics.REPEATED).inc)
            return order, is_new
    except TradingException as refusal:
        metrics.REFUSED.labels(refusal.code).inc()
        raise


async def _place(
    session: AsyncSession, account_id: UUID, request: OrderRequest
) -> tuple[Order, bool]:
    existing = await find_order(session, account_id, request.client_order_id)
    if existing is not None:
        return _same(existing, request), False
    instrument = await get_instrument(session, request.symbol)
    instrument.check(request.qty, request.limit_price)
    currency, amount = request.required(instrument)
    # A concurrent request with the same id waits here until the other one has ended.
    order = await session.scalar(
        insert(Order)
        .values(
            id=new_id(),
            account_id=account_id,
            held_currency=currency,
            held=amount,
            **asdict(request),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "client_order_id"])
        .returning(Order)
    )
    if order is None:
        existing = await find_order(session, account_id, request.client_order_id)
        assert existing is not None, "orders are never deleted"
        return _same(existing, request), False
    await hold(session, account_id, currency, amount)
    return order, True


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
