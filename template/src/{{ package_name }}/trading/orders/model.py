"""The table of orders."""

from datetime import datetime
from decimal import Decimal
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
from ...market.columns import AMOUNT, bounded
from ...market.money import cost, divide, exact
from ...market.words import OrderType, Side, TimeInForce
from .states import OPEN, OrderStatus

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN))
IS_OPEN = f"status IN ({_OPEN})"
"""The condition in SQL that an order may still be filled; there is an index of those."""


class Order(Base):
    """A table of orders. While one is open it holds `held` of `held_currency`.

    `hold_price` is what a base unit may cost at most: `limit_price`, or a market order's collar.
    `strategy_id` is the strategy that has placed it, `role` what for; None for those of people.
    """

    __tablename__ = "orders"
    __table_args__ = (
        UniqueConstraint("account_id", "client_order_id"),
        one_of("side", Side),
        one_of("type", OrderType),
        one_of("time_in_force", TimeInForce),
        one_of("status", OrderStatus),
        CheckConstraint("filled_qty <= qty", name="no_overfill"),
        CheckConstraint("(type = 'limit') = (limit_price IS NOT NULL)", name="limit_has_price"),
        bounded("qty", "> 0"),
        bounded("limit_price", "> 0"),
        bounded("hold_price", "> 0"),
        bounded("filled_qty"),
        bounded("filled_notional"),
        bounded("held"),
        Index("ix_orders_newest_first", "account_id", "created_at", "id"),
        Index("ix_orders_of_symbol", "account_id", "symbol", "created_at", "id"),
        Index("ix_orders_of_status", "account_id", "status", "created_at", "id"),
        Index(
            "ix_orders_open",
            *("account_id", "created_at", "id"),
            postgresql_where=IS_OPEN,
        ),
        Index(
            "ix_orders_of_strategy",
            *("account_id", "strategy_id", "created_at", "id"),
            postgresql_where="strategy_id IS NOT NULL",
        ),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_order_id: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(ForeignKey("instruments.symbol"))
    side: Mapped[Side] = mapped_column(words(Side, 4))
    type: Mapped[OrderType] = mapped_column(words(OrderType, 16))
    time_in_force: Mapped[TimeInForce] = mapped_column(words(TimeInForce, 8))
    post_only: Mapped[bool] = mapped_column(default=False, server_default="false")
    qty: Mapped[Decimal] = mapped_column(AMOUNT)
    limit_price: Mapped[Decimal | None] = mapped_column(AMOUNT)
    hold_price: Mapped[Decimal | None] = mapped_column(AMOUNT)
    status: Mapped[OrderStatus] = mapped_column(
        words(OrderStatus, 16), default=OrderStatus.PENDING_NEW
    )
    reason_code: Mapped[str | None] = mapped_column(String(64))
    filled_qty: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0))
    filled_notional: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    held_currency: Mapped[str] = mapped_column(String(16))
    held: Mapped[Decimal] = mapped_column(AMOUNT)
    venue_order_id: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    canceled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    strategy_id: Mapped[UUID | None]
    role: Mapped[str | None] = mapped_column(String(32))

    @property
    def leaves_qty(self) -> Decimal:
        """The quantity that may still be filled."""
        if not self.status.is_open:
            return Decimal(0)
        with exact():
            return self.qty - self.filled_qty

    def hold_for(self, qty: Decimal) -> Decimal:
        """Return what it has to hold of `held_currency` while `qty` may still be filled."""
        if self.side is Side.SELL or not qty:
            return qty
        assert self.hold_price is not None, f"the buy order {self.id} has no price to hold by"
        return cost(qty, self.hold_price)

    @property
    def venue_client_id(self) -> str:
        """Name of the order at the exchange: 32 letters and digits, which every one accepts."""
        return self.id.hex

    @property
    def filled_avg_price(self) -> Decimal | None:
        """Price of a base unit on average, rounded to 18 decimals; None before the first fill."""
        if not self.filled_qty:
            return None
        return divide(self.filled_notional, self.filled_qty)
