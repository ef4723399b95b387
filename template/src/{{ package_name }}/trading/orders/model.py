"""The table of orders."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

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

from ...core.database.tables import Base, new_id, one_of, words
from ...market.money import AMOUNT, bounded
from ...market.words import OrderType, Side, TimeInForce


class OrderStatus(StrEnum):
    """State of an order: `new` is open, `canceled` is not."""

    NEW = "new"
    CANCELED = "canceled"


class Order(Base):
    """A table of orders. While one is open it holds `held` of `held_currency`."""

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "client_order_id"),
        one_of("side", Side),
        one_of("type", OrderType),
        one_of("time_in_force", TimeInForce),
        one_of("status", OrderStatus),
        CheckConstraint("filled_qty <= qty", name="no_overfill"),
        bounded("qty", "> 0"),
        bounded("limit_price", "> 0"),
        bounded("filled_qty"),
        bounded("held"),
        Index("ix_orders_newest_first", "account_id", "created_at", "id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_order_id: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(ForeignKey("instruments.symbol"))
    side: Mapped[Side] = mapped_column(words(Side, 4))
    type: Mapped[OrderType] = mapped_column(words(OrderType, 16))
    time_in_force: Mapped[TimeInForce] = mapped_column(words(TimeInForce, 8))
    qty: Mapped[Decimal] = mapped_column(AMOUNT)
    limit_price: Mapped[Decimal] = mapped_column(AMOUNT)
    status: Mapped[OrderStatus] = mapped_column(words(OrderStatus, 16), default=OrderStatus.NEW)
    filled_qty: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0))
    held_currency: Mapped[str] = mapped_column(String(16))
    held: Mapped[Decimal] = mapped_column(AMOUNT)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    canceled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    @property
    def leaves_qty(self) -> Decimal:
        """The quantity that may still be filled."""
        return self.qty - self.filled_qty if self.status == OrderStatus.NEW else Decimal(0)
