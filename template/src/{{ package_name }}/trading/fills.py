"""Fills: the trades of orders, as the exchange has reported them."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid5

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, one_of, words
from ..market.money import AMOUNT, bounded
from ..market.words import Liquidity, Side

_NAMESPACE = UUID("5e0c3a52-6a1f-4f0e-9f5b-2d9d4e6f7a81")


class FillFlag(StrEnum):
    """Reasons why a fill was stored and not booked: somebody has to look at it.

    More was filled than was ordered, no order of ours has that name, or there was no money for it.
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
