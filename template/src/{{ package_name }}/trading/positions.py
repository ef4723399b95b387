"""Positions: what an account has bought and sold of an instrument, and what it made of it."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, String, func
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base
from ..market.money import AMOUNT, bounded


class Position(Base):
    """A table of positions: each the fold of the account's fills of one instrument.

    `qty` in base units: what was bought less what was sold (deposits are not trades). `cost` is
    what that quantity was bought for, `realized_pnl` is before `fees`, all in quote units. Open
    orders may still buy `buying` and sell `selling`.
    """

    __tablename__ = "positions"
    __table_args__ = (
        *(
            CheckConstraint(f"{column} > -1e20 AND {column} < 1e20", name=f"{column}_range")
            for column in ("qty", "cost", "realized_pnl", "fees")
        ),
        bounded("buying"),
        bounded("selling"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    symbol: Mapped[str] = mapped_column(String(32), primary_key=True)
    qty: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    cost: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    realized_pnl: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    fees: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    buying: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    selling: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0), server_default="0")
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
