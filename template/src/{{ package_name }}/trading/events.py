"""Events: what has happened to an account, numbered without gaps in the order of commits.

They are what the stream sends, and the history of each order.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Table,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, given, one_of, words
from .account_books import AccountBooks


class EventType(StrEnum):
    """Kinds of events: an order, a fill, a position or the trading state, as it is from then on."""

    ORDER = "order"
    FILL = "fill"
    POSITION = "position"
    TRADING_STATE = "trading_state"


class AccountEvent(Base):
    """A table of events, which only grows.

    `data` is what has changed: of an order its status, quantities and reason, see `order_event`.
    """

    __tablename__ = "account_events"
    __table_args__ = (
        one_of("type", EventType),
        Index("ix_account_events_of_order", "account_id", "order_id", "seq"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    type: Mapped[EventType] = mapped_column(words(EventType, 16))
    order_id: Mapped[UUID | None]
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )


async def record(
    session: AsyncSession,
    account_id: UUID,
    kind: EventType,
    data: dict[str, Any],
    order_id: UUID | None = None,
) -> int:
    """Add an event and return its number. Call it with the account's books locked."""
    row = {"account_id": account_id, "kind": kind, "order_id": order_id, "data": data}
    seq: int | None = await session.scalar(
        _RECORD, {f"given_{name}": value for name, value in row.items()}
    )
    assert seq is not None, f"account {account_id} has no books"
    return seq


_account_id = given("account_id", AccountEvent.account_id.type)
_counted = (
    update(AccountBooks)
    .where(AccountBooks.account_id == _account_id)
    .values(last_seq=AccountBooks.last_seq + 1)
    .returning(AccountBooks.last_seq)
    .cte("counted")
)
_row = {
    AccountEvent.account_id: _account_id,
    AccountEvent.seq: _counted.c.last_seq,
    AccountEvent.type: given("kind", AccountEvent.type.type),
    AccountEvent.order_id: given("order_id", AccountEvent.order_id.type),
    AccountEvent.data: given("data", AccountEvent.data.type),
}
# One message to the server: an order that is filled has several events.
_RECORD = (
    insert(cast(Table, AccountEvent.__table__))
    .from_select([column.key for column in _row], select(*_row.values()), include_defaults=False)
    .returning(AccountEvent.seq)
)


async def last_seq(session: AsyncSession, account_id: UUID) -> int:
    """Return the number of the account's last event, 0 before the first."""
    query = select(AccountBooks.last_seq).where(AccountBooks.account_id == account_id)
    return await session.scalar(query) or 0


async def events_after(
    session: AsyncSession, account_id: UUID, seq: int, limit: int
) -> list[AccountEvent]:
    """Return at most `limit` of the account's events after that number, in their order."""
    query = (
        select(AccountEvent)
        .where(AccountEvent.account_id == account_id, AccountEvent.seq > seq)
        .order_by(AccountEvent.seq)
        .limit(limit)
    )
    return list(await session.scalars(query))
