"""Events: what has happened to an account, numbered without gaps in the order of commits.

They are what the stream sends, and the history of each order.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    DateTime,
    ForeignKey,
    Index,
    Uuid,
    cast,
    column,
    func,
    insert,
    select,
    true,
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


class NewEvent(NamedTuple):
    """An event that has just happened, which may be of an order."""

    type: EventType
    data: dict[str, Any]
    order_id: UUID | None = None


async def record(session: AsyncSession, account_id: UUID, *events: NewEvent) -> None:
    """Add the events, in this order. Call it with the account's books locked."""
    rows = [
        {"type": one.type, "data": one.data, "order_id": one.order_id and str(one.order_id)}
        for one in events
    ]
    given = {"given_account_id": account_id, "given_count": len(rows), "given_events": rows}
    recorded = await session.scalars(_RECORD, given)
    assert len(recorded.all()) == len(rows), f"account {account_id} has no books"


_account_id = given("account_id", AccountEvent.account_id.type)
_count = given("count", BigInteger())
_counted = (
    update(AccountBooks)
    .where(AccountBooks.account_id == _account_id)
    .values(last_seq=AccountBooks.last_seq + _count)
    .returning(AccountBooks.last_seq)
    .cte("counted")
)
_new = (
    func.jsonb_array_elements(given("events", JSONB()))
    .table_valued(column("event", JSONB()), with_ordinality="n", name="new")
    .render_derived()
)
_event = _new.c.event
_row = {
    AccountEvent.account_id: _account_id,
    AccountEvent.seq: _counted.c.last_seq - _count + _new.c.n,
    AccountEvent.type: _event["type"].astext,
    AccountEvent.order_id: cast(_event["order_id"].astext, Uuid()),
    AccountEvent.data: _event["data"],
}
# One message to the server: an order that is filled has several events.
_RECORD = (
    insert(AccountEvent.__table__)  # type: ignore[arg-type]  # it is a table
    .from_select(
        [column.key for column in _row],
        select(*_row.values()).select_from(_counted.join(_new, true())),
        include_defaults=False,
    )
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
