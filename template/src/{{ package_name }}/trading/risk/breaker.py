"""The daily-loss breaker: an account that loses too much in a day may only reduce."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.tables import Base
from ...market.money import AMOUNT


class DayStart(Base):
    """A table of each account's profit and loss at the first look on a day (UTC).

    `breaches` counts the looks in a row that found more than the limit lost.
    """

    __tablename__ = "day_starts"
    __table_args__ = (CheckConstraint("pnl > -1e20 AND pnl < 1e20", name="pnl_range"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    pnl: Mapped[Decimal] = mapped_column(AMOUNT)
    breaches: Mapped[int] = mapped_column(default=0, server_default="0")
