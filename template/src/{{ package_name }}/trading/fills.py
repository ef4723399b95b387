"""Fills: the trades of orders, as the exchange has reported them."""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    Select,
    String,
    UniqueConstraint,
    bindparam,
    func,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, one_of, words
from ..core.errors import TradingException
from ..market.columns import AMOUNT, bounded
from ..market.money import plain
from ..market.words import Liquidity, Side
from .codes import TradingErrorCode
from .orders.model import Order
from .positions import Trade

_NAMESPACE = UUID("5e0c3a52-6a1f-4f0e-9f5b-2d9d4e6f7a81")


class FillFlag(StrEnum):
    """Reasons why a fill was stored and not booked: somebody has to look at it.

    `overfill`: more was filled than was ordered. `unknown_order`: no order of ours has that name,
    symbol and side. `unfunded`: the account had too little for it, or has no room for more; it is
    booked by the next reconciliation that finds enough.
    """

    OVERFILL = "overfill"
    UNKNOWN_ORDER = "unknown_order"
    UNFUNDED = "unfunded"


class Fill(Base):
    """A table of fills. One is known by venue, symbol and trade id, and is booked once."""

    __tablename__ = "fills"
    __table_args__ = (
        UniqueConstraint("account_id", "venue", "symbol", "trade_id"),
        one_of("side", Side),
        one_of("liquidity", Liquidity),
        one_of("flag", FillFlag),
        bounded("qty", "> 0"),
        bounded("price", "> 0"),
        CheckConstraint("fee > -1e20 AND fee < 1e20", name="fee_range"),
        Index("ix_fills_newest_first", "account_id", "created_at", "id"),
        Index("ix_fills_of_symbol", "account_id", "symbol", "created_at", "id"),
        Index("ix_fills_of_order", "account_id", "order_id", "created_at", "id"),
        Index("ix_fills_unfunded", "account_id", postgresql_where="flag = 'unfunded'"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    venue: Mapped[str] = mapped_column(String(16))
    symbol: Mapped[str] = mapped_column(String(32))
    trade_id: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[UUID | None]
    venue_client_id: Mapped[str] = mapped_column(String(64))
    venue_order_id: Mapped[str] = mapped_column(String(64))
    side: Mapped[Side] = mapped_column(words(Side, 4))
    qty: Mapped[Decimal] = mapped_column(AMOUNT)
    price: Mapped[Decimal] = mapped_column(AMOUNT)
    fee: Mapped[Decimal] = mapped_column(AMOUNT)
    fee_currency: Mapped[str] = mapped_column(String(16))
    liquidity: Mapped[Liquidity] = mapped_column(words(Liquidity, 8))
    flag: Mapped[FillFlag | None] = mapped_column(words(FillFlag, 16))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now()
    )


def fill_id(account_id: UUID, venue: str, symbol: str, trade_id: str) -> UUID:
    """Return the id of that fill: the same whoever reports it, and however often."""
    return uuid5(_NAMESPACE, f"{account_id}|{venue}|{symbol}|{trade_id}")


IN_ORDER = (Fill.created_at, func.length(Fill.trade_id), Fill.trade_id)
"""The order in which a position's fills count, whenever they are reported: by the exchange's time
and number."""


def trade_of(fill: Fill, base_currency: str, quote_currency: str) -> Trade:
    """Return what the fill means to the position in that pair of currencies."""
    fees = dict.fromkeys((base_currency, quote_currency), Decimal(0))
    if fill.fee_currency in fees:
        fees[fill.fee_currency] = fill.fee
    return Trade(fill.side, fill.qty, fill.price, fees[base_currency], fees[quote_currency])


def fill_event(fill: Fill, order: Order | None) -> dict[str, Any]:
    """Return the data of an event: the fill as the API has it."""
    return {
        "id": str(fill.id),
        "trade_id": fill.trade_id,
        "order_id": None if fill.order_id is None else str(fill.order_id),
        "client_order_id": None if order is None else order.client_order_id,
        "account_id": str(fill.account_id),
        "symbol": fill.symbol,
        "side": fill.side,
        "qty": plain(fill.qty),
        "price": plain(fill.price),
        "fee": plain(fill.fee),
        "fee_currency": fill.fee_currency,
        "liquidity": fill.liquidity,
        "flag": fill.flag,
        "created_at": fill.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }


_BY_ID = (
    select(Fill)
    .where(Fill.account_id == bindparam("account_id"), Fill.id == bindparam("id"))
    .execution_options(populate_existing=True)
)


async def get_fill(session: AsyncSession, account_id: UUID, fill_id: UUID) -> Fill | None:
    """Return the account's fill of that id, or None."""
    return await session.scalar(_BY_ID, {"account_id": account_id, "id": fill_id})


async def list_fills(
    session: AsyncSession,
    account_id: UUID,
    *,
    order_id: UUID | None = None,
    symbol: str | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[tuple[Fill, str | None]]:
    """Return at most `limit` fills, newest first, each with its order's client_order_id.

    They begin with the one that follows fill `after`. Raises TradingException FILL_NOT_FOUND if
    that is no fill of the account.
    """
    query = _fills_of(account_id, order_id, symbol)
    if after is not None:
        last = await existing_fill(session, account_id, after)
        query = query.where(tuple_(Fill.created_at, Fill.id) < (last.created_at, last.id))
    rows = await session.execute(query.limit(limit))
    return [(row[0], row[1]) for row in rows]


async def existing_fill(session: AsyncSession, account_id: UUID, fill_id: UUID) -> Fill:
    """Return the fill of the account. Raises TradingException FILL_NOT_FOUND."""
    found = await get_fill(session, account_id, fill_id)
    if found is None:
        raise TradingException(
            TradingErrorCode.FILL_NOT_FOUND,
            f"There is no fill {fill_id}",
            {"fill_id": str(fill_id)},
        )
    return found


def _fills_of(
    account_id: UUID, order_id: UUID | None = None, symbol: str | None = None
) -> Select[Fill, str]:
    own = (Order.account_id == Fill.account_id) & (Order.id == Fill.order_id)
    query = select(Fill, Order.client_order_id).outerjoin(Order, own)
    query = query.where(Fill.account_id == account_id)
    if order_id is not None:
        query = query.where(Fill.order_id == order_id)
    if symbol is not None:
        query = query.where(Fill.symbol == symbol)
    return query.order_by(Fill.created_at.desc(), Fill.id.desc())
