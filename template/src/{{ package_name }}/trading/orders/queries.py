"""Looking up orders."""

from uuid import UUID

from sqlalchemy import bindparam, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.errors import TradingException
from ..codes import TradingErrorCode
from .model import IS_OPEN, Order
from .states import OrderStatus

# Made once: making them anew costs more than running them.
_OF_ACCOUNT = select(Order).where(Order.account_id == bindparam("account_id"))
# In words, as in its index: of parameters, PostgreSQL can't tell that they are the same.
_IS_OPEN = text(IS_OPEN)
_BY_ID = _OF_ACCOUNT.where(Order.id == bindparam("id"))
_LOCK = _BY_ID.with_for_update().execution_options(populate_existing=True)
_BY_CLIENT_ORDER_ID = _OF_ACCOUNT.where(Order.client_order_id == bindparam("client_order_id"))


async def find_order(session: AsyncSession, account_id: UUID, client_order_id: str) -> Order | None:
    """Return the account's order of that `client_order_id`, or None."""
    values = {"account_id": account_id, "client_order_id": client_order_id}
    return await session.scalar(_BY_CLIENT_ORDER_ID, values)


async def lock_order(session: AsyncSession, account_id: UUID, order_id: UUID) -> Order | None:
    """Lock the account's order, and return it as it is now, or None."""
    return await session.scalar(_LOCK, {"account_id": account_id, "id": order_id})


async def get_order(
    session: AsyncSession, account_id: UUID, order_id: UUID, *, lock: bool = False
) -> Order:
    """Return the account's order, locked if asked for.

    Raises TradingException ORDER_NOT_FOUND, also for an order of another account.
    """
    if lock:
        order = await lock_order(session, account_id, order_id)
    else:
        order = await session.scalar(_BY_ID, {"account_id": account_id, "id": order_id})
    if order is None:
        raise TradingException(
            TradingErrorCode.ORDER_NOT_FOUND,
            f"There is no order {order_id}",
            {"order_id": str(order_id)},
        )
    return order


async def list_orders(
    session: AsyncSession,
    account_id: UUID,
    *,
    status: OrderStatus | None = None,
    is_open: bool = False,
    symbol: str | None = None,
    client_order_id: str | None = None,
    after: UUID | None = None,
    limit: int,
) -> list[Order]:
    """Return at most `limit` orders, newest first, from the one that follows order `after`.

    `is_open`: those that may still be filled. Raises TradingException ORDER_NOT_FOUND if `after` is
    no order of the account.
    """
    query = select(Order).where(Order.account_id == account_id)
    if status is not None:
        query = query.where(Order.status == status)
    if is_open:
        query = query.where(_IS_OPEN)
    if symbol is not None:
        query = query.where(Order.symbol == symbol)
    if client_order_id is not None:
        query = query.where(Order.client_order_id == client_order_id)
    if after is not None:
        last = await get_order(session, account_id, after)
        query = query.where(tuple_(Order.created_at, Order.id) < (last.created_at, last.id))
    query = query.order_by(Order.created_at.desc(), Order.id.desc()).limit(limit)
    return list(await session.scalars(query))
