"""The trading state: whether orders may be placed at all, for the service and for each account."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import DateTime, String, func
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.tables import Base, one_of, words

EVERYONE = UUID(int=0)
"""In the place of an account's id: the state of the whole service."""


class TradingState(StrEnum):
    """States of trading. Cancellations always pass.

    `active`: orders pass. `reducing`: only those that make a position smaller. `halted`: none.
    """

    ACTIVE = "active"
    REDUCING = "reducing"
    HALTED = "halted"


class TradingStateRow(Base):
    """A table of the states that were set; without a row, trading is active."""

    __tablename__ = "trading_states"
    __table_args__ = (one_of("state", TradingState),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    state: Mapped[TradingState] = mapped_column(words(TradingState, 8))
    reason: Mapped[str] = mapped_column(String(500))
    changed_by: Mapped[str] = mapped_column(String(64))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
