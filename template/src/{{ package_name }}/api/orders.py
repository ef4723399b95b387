"""`/v1/orders`"""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..core.database.transactions import transactional
from ..trading.orders import OrderStatus, cancel_order, get_order, list_orders, place_order
from .schemas import NewOrder, OrderOut, Page, Symbol
from .security import ReadAccount, TradeAccount

router = ServiceRouter(prefix="/orders", tags=["orders"])


@router.post(
    "",
    status_code=201,
    summary="Place an order",
    responses={200: {"model": OrderOut, "description": "The same order was placed before"}},
)
async def place(
    order: NewOrder, account: TradeAccount, session: SessionDep, response: Response
) -> OrderOut:
    async with transactional(session, retry_on_deadlock=True) as tx:
        placed, is_new = await place_order(tx, account.id, order.to_request())
    if not is_new:
        response.status_code = 200
    return OrderOut.model_validate(placed)


@router.get("", summary="List orders, newest first")
async def list_(
    account: ReadAccount,
    session: SessionDep,
    status: OrderStatus | None = None,
    symbol: Symbol | None = None,
    after: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Page[OrderOut]:
    orders = await list_orders(
        session, account.id, status=status, symbol=symbol, after=after, limit=limit + 1
    )
    page = orders[:limit]
    return Page(
        items=[OrderOut.model_validate(order) for order in page],
        next_cursor=str(page[-1].id) if len(orders) > limit else None,
    )


@router.get("/{order_id}", summary="One order")
async def get(order_id: UUID, account: ReadAccount, session: SessionDep) -> OrderOut:
    return OrderOut.model_validate(await get_order(session, account.id, order_id))


@router.delete("/{order_id}", summary="Cancel an order")
async def cancel(order_id: UUID, account: TradeAccount, session: SessionDep) -> OrderOut:
    async with transactional(session, retry_on_deadlock=True) as tx:
        canceled = await cancel_order(tx, account.id, order_id)
    return OrderOut.model_validate(canceled)
