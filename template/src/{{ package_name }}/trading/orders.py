"""Placing and cancelling orders.

Rows are locked in one order everywhere: the order, then balances sorted by (account, currency).
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid4

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.session import Base
from ..core.database.transactions import after_commit, transactional
from ..core.errors import TradingException
from . import metrics
from .balances import hold, release
from .errors import TradingError
from .instruments import Instrument, get_instrument
from .money import AMOUNT, bounded, multiply


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    LIMIT = "limit"


class TimeInForce(StrEnum):
    """`gtc`: good till cancelled."""

    GTC = "gtc"


class OrderStatus(StrEnum):
    NEW = "new"
    CANCELED = "canceled"


class Order(Base):
    """A limit order. While it is open it holds `held` of `held_currency`."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "client_order_id"),
        CheckConstraint("side IN ('buy', 'sell')", name="side"),
        CheckConstraint("type IN ('limit')", name="type"),
        CheckConstraint("time_in_force IN ('gtc')", name="time_in_force"),
        CheckConstraint("status IN ('new', 'canceled')", name="status"),
        CheckConstraint("filled_qty <= qty", name="no_overfill"),
        bounded("qty", "> 0"),
        bounded("limit_price", "> 0"),
        bounded("filled_qty"),
        bounded("held"),
        Index("ix_orders_newest_first", "account_id", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"))
    client_order_id: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(ForeignKey("instruments.symbol"))
    side: Mapped[str] = mapped_column(String(4))
    type: Mapped[str] = mapped_column(String(16))
    time_in_force: Mapped[str] = mapped_column(String(8))
    qty: Mapped[Decimal] = mapped_column(AMOUNT)
    limit_price: Mapped[Decimal] = mapped_column(AMOUNT)
    status: Mapped[str] = mapped_column(String(16), default=OrderStatus.NEW)
    filled_qty: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0))
    held_currency: Mapped[str] = mapped_column(String(16))
    held: Mapped[Decimal] = mapped_column(AMOUNT)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    canceled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def leaves_qty(self) -> Decimal:
        """The quantity that may still be filled."""
        return self.qty - self.filled_qty if self.status == OrderStatus.NEW else Decimal(0)


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
    existing = await _find(session, account_id, request.client_order_id)
    if existing is not None:
        return _same(existing, request), False
    instrument = await get_instrument(session, request.symbol)
    instrument.check(request.qty, request.limit_price)
    currency, amount = request.required(instrument)
    # A concurrent request with the same id waits here until the other one has ended.
    order = await session.scalar(
        insert(Order)
        .values(
            id=uuid4(),
            account_id=account_id,
            held_currency=currency,
            held=amount,
            **asdict(request),
        )
        .on_conflict_do_nothing(index_elements=["account_id", "client_order_id"])
        .returning(Order)
    )
    if order is None:
        existing = await _find(session, account_id, request.client_order_id)
        assert existing is not None, "orders are never deleted"
        return _same(existing, request), False
    await hold(session, account_id, currency, amount)
    return order, True


async def _find(session: AsyncSession, account_id: UUID, client_order_id: str) -> Order | None:
    query = select(Order).where(
        Order.account_id == account_id, Order.client_order_id == client_order_id
    )
    return await session.scalar(query)


def _same(order: Order, request: OrderRequest) -> Order:
    different = [name for name, value in asdict(request).items() if getattr(order, name) != value]
    if different:
        raise TradingException(
            TradingError.CLIENT_ORDER_ID_REUSED,
            f"client_order_id {request.client_order_id} belongs to an order with another "
            f"{', '.join(different)}",
            {"client_order_id": request.client_order_id, "different": different},
        )
    return order


async def get_order(
    session: AsyncSession, account_id: UUID, order_id: UUID, *, lock: bool = False
) -> Order:
    """The account's order. Raises TradingException ORDER_NOT_FOUND, for another's order too."""
    query = select(Order).where(Order.account_id == account_id, Order.id == order_id)
    order = await session.scalar(query.with_for_update() if lock else query)
    if order is None:
        raise TradingException(
            TradingError.ORDER_NOT_FOUND,
            f"There is no order {order_id}",
            {"order_id": str(order_id)},
        )
    return order


async def list_orders(
    session: AsyncSession,
    account_id: UUID,
    *,
    status: OrderStatus | None = None,
    symbol: str | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Order]:
    """At most `limit` orders, newest first, from the one that follows order `after`.

    Raises TradingException ORDER_NOT_FOUND if `after` is no order of the account.
    """
    query = select(Order).where(Order.account_id == account_id)
    if status is not None:
        query = query.where(Order.status == status)
    if symbol is not None:
        query = query.where(Order.symbol == symbol)
    if after is not None:
        last = await get_order(session, account_id, after)
        query = query.where(tuple_(Order.created_at, Order.id) < (last.created_at, last.id))
    query = query.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit)
    return list(await session.scalars(query))


async def cancel_order(session: AsyncSession, account_id: UUID, order_id: UUID) -> Order:
    """Cancel the order and release what it held. Cancelling it again changes nothing.

    In the caller's transaction, if there is one.

    Raises TradingException ORDER_NOT_FOUND.
    """
    async with transactional(session, nested="join"):
        order = await get_order(session, account_id, order_id, lock=True)
        if order.status == OrderStatus.NEW:
            await release(session, account_id, order.held_currency, order.held)
            order.status = OrderStatus.CANCELED
            order.held = Decimal(0)
            order.canceled_at = func.now()
            await session.flush()
            await session.refresh(order)
            after_commit(session, metrics.CANCELED.labels(order.symbol, order.side).inc)
        return order
