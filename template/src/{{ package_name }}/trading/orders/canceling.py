"""Canceling orders."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.transactions import after_commit, transactional
from .. import metrics
from ..balances import move as release
from .model import Order
from .queries import get_order
from .states import OrderStatus


async def cancel_order(session: AsyncSession, account_id: UUID, order_id: UUID) -> Order:
    """Cancel the order and release what it held. Cancelling it again changes nothing.

    In the caller's transaction, if there is one.

    Raises TradingException ORDER_NOT_FOUND.
    """
    async with transactional(session, nested="join"):
        order = await get_order(session, account_id, order_id, lock=True)
        if order.status == OrderStatus.NEW:
            await release(session, account_id, order.held_currency, order.held)
            order.status = OrderStatus.CANCELED
            order.held = Decimal(0)
            order.canceled_at = func.now()
            await session.flush()
            await session.refresh(order)
            after_commit(session, metrics.CANCELED.labels(order.symbol, order.side).inc)
        return order
