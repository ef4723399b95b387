"""The outbox: what is to be sent to the exchange, committed together with what it is for."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, String, func
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id, one_of, words
from ..market.money import AMOUNT


class CommandKind(StrEnum):
    """Kinds of commands: place an order, cancel it, credit money (paper only)."""

    PLACE = "place"
    CANCEL = "cancel"
    DEPOSIT = "deposit"


class Command(Base):
    """A table of commands that are not settled yet; one that is done is deleted.

    A dispatcher that takes one owns it until `claimed_until`, by the database's clock. One that
    was taken before (`attempts` > 0) may have been sent: the exchange is asked first.

    A deposit without `deposit_id` is money that the books had before the exchange was there.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        one_of("kind", CommandKind),
        Index("ix_outbox_due", "due_at"),
        Index("ix_outbox_of_order", "account_id", "order_id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[CommandKind] = mapped_column(words(CommandKind, 8))
    order_id: Mapped[UUID | None]
    deposit_id: Mapped[UUID | None]
    transfer_id: Mapped[str | None] = mapped_column(String(64))
    currency: Mapped[str | None] = mapped_column(String(16))
    amount: Mapped[Decimal | None] = mapped_column(AMOUNT)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    due_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    claimed_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    valid_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
