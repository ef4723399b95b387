"""Canceling orders."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.transactions import after_commit, transactional
from .. import metrics
from ..account_books import lock_books
from ..outbox import drop_unsent, enqueue_cancel
from ..settlement import end
from ..wakes import wake_account, wake_dispatcher
from .events import record_order
from .model import Order
from .queries import get_order
from .states import OPEN, OrderStatus, checked_change

NEVER_SENT = "NEVER_SENT"
"""Reason code of an order that was canceled before the exchange heard of it."""


async def cancel_order(session: AsyncSession, account_id: UUID, order_id: UUID) -> Order:
    """Have the order canceled, and return it: `pending_cancel`, or as it has ended.

    One that nobody has begun to send is canceled at once. Cancelling it again changes nothing. In
    the caller's transaction, if there is one. Raises TradingException ORDER_NOT_FOUND.
    """
    async with transactional(session, nested="join"):
        await get_order(session, account_id, order_id)  # of this account, or nobody is locked out
        await lock_books(session, account_id)
        return await _cancel(session, await get_order(session, account_id, order_id, lock=True))


async def cancel_orders(
    session: AsyncSession, account_id: UUID, symbol: str | None = None
) -> list[Order]:
    """Have every open order of the account canceled, or those of an instrument; return them."""
    async with transactional(session, nested="join"):
        await lock_books(session, account_id)
        query = select(Order).where(Order.account_id == account_id, Order.status.in_(OPEN))
        if symbol is not None:
            query = query.where(Order.symbol == symbol)
        query = query.order_by(Order.created_at, Order.id).with_for_update()
        orders = (await session.scalars(query)).all()
        return [await _cancel(session, order) for order in orders]


async def _cancel(session: AsyncSession, order: Order) -> Order:
    if not order.status.is_open or order.status is OrderStatus.PENDING_CANCEL:
        return order
    after_commit(session, metrics.CANCELED.labels(order.symbol, order.side).inc)
    if await drop_unsent(session, order):
        await end(session, order, OrderStatus.CANCELED, NEVER_SENT)
        return order
    order.status = checked_change(order.status, OrderStatus.PENDING_CANCEL)
    await enqueue_cancel(session, order)
    await record_order(session, order)
    wake_account(session, order.account_id)
    wake_dispatcher(session)
    return order
