"""The limits of an account's orders: settings, which a row can replace for an account."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.tables import Base
from ...market.money import AMOUNT


class RiskLimits(Base):
    """A table of the limits that an account has instead of the settings; NULL: as they are."""

    __tablename__ = "risk_limits"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    max_order_qty: Mapped[Decimal | None] = mapped_column(AMOUNT)
    max_order_notional: Mapped[Decimal | None] = mapped_column(AMOUNT)
    max_open_orders: Mapped[int | None]
    max_position: Mapped[Decimal | None] = mapped_column(AMOUNT)
    max_orders_per_second: Mapped[int | None]
    max_daily_loss: Mapped[Decimal | None] = mapped_column(AMOUNT)
