"""The history of an order: an event for each change of it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.money import plain
from ..events import AccountEvent, EventType, NewEvent, record
from .model import Order


def order_event(order: Order) -> dict[str, Any]:
    """Return the data of an event: what changes of an order, as it is now."""
    average = order.filled_avg_price
    return {
        "status": order.status,
        "filled_qty": plain(order.filled_qty),
        "leaves_qty": plain(order.leaves_qty),
        "filled_avg_price": None if average is None else plain(average),
        "reason_code": order.reason_code,
        "venue_order_id": order.venue_order_id,
    }


def changed(order: Order) -> NewEvent:
    """Return the event that the order is now as it is."""
    return NewEvent(EventType.ORDER, order_event(order), order.id)


async def record_order(session: AsyncSession, order: Order) -> None:
    """Add the event that the order is now as it is. Call it with the account's books locked."""
    await record(session, order.account_id, changed(order))


async def list_order_events(
    session: AsyncSession,
    account_id: UUID,
    order_id: UUID,
    *,
    after: int | None = None,
    limit: int,
) -> Sequence[AccountEvent]:
    """Return at most `limit` events of an order and its fills, oldest first, from after `after`."""
    query = select(AccountEvent).where(
        AccountEvent.account_id == account_id, AccountEvent.order_id == order_id
    )
    if after is not None:
        query = query.where(AccountEvent.seq > after)
    return (await session.scalars(query.order_by(AccountEvent.seq).limit(limit))).all()
