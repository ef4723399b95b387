"""The tables of reconciliation."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.tables import Base, new_id, one_of, words
from ...market.columns import AMOUNT, bounded
from ...market.words import Side


class ReconciliationStatus(StrEnum):
    """Ends of a run: nothing differs, something does, or the exchange could not be asked."""

    CLEAN = "clean"
    DRIFT = "drift"
    FAILED = "failed"


class Trigger(StrEnum):
    """Reasons of a run."""

    START = "start"
    PERIODIC = "periodic"
    REQUEST = "request"


class Reconciliation(Base):
    """A table of runs, one for each account each time; `findings` are sentences with figures."""

    __tablename__ = "reconciliations"
    __table_args__ = (
        one_of("status", ReconciliationStatus),
        one_of("trigger", Trigger),
        Index("ix_reconciliations_newest_first", "account_id", "started_at", "id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    trigger: Mapped[Trigger] = mapped_column(words(Trigger, 16))
    status: Mapped[ReconciliationStatus] = mapped_column(words(ReconciliationStatus, 16))
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class VenueCursor(Base):
    """A table of where the next look at an exchange's fills begins."""

    __tablename__ = "venue_cursors"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    venue: Mapped[str] = mapped_column(String(16), primary_key=True)
    cursor: Mapped[str | None] = mapped_column(String(64))
    looked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ExternalOrder(Base):
    """A table of orders that the exchange has and that this service did not send."""

    __tablename__ = "external_orders"
    __table_args__ = (one_of("side", Side), bounded("qty", "> 0"), bounded("filled_qty"))

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    venue: Mapped[str] = mapped_column(String(16), primary_key=True)
    venue_order_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    venue_client_id: Mapped[str] = mapped_column(String(64))
    symbol: Mapped[str] = mapped_column(String(32))
    side: Mapped[Side] = mapped_column(words(Side, 4))
    qty: Mapped[Decimal] = mapped_column(AMOUNT)
    filled_qty: Mapped[Decimal] = mapped_column(AMOUNT)
    status: Mapped[str] = mapped_column(String(16))
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
