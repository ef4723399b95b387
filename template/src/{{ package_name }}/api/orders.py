"""`/v1/orders`"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..core.database.transactions import transactional
from ..market.money import Amount, PositiveAmount
from ..market.words import OrderType, Side, TimeInForce
from ..trading.orders.canceling import cancel_order
from ..trading.orders.model import OrderStatus
from ..trading.orders.placing import OrderRequest, place_order
from ..trading.orders.queries import get_order, list_orders
from .page import FromRow, Page
from .security import ReadAccount, TradeAccount

router = ServiceRouter(prefix="/orders", tags=["orders"])

ClientOrderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,32}$")]


class NewOrder(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "client_order_id": "a1",
                    "symbol": "BTC-USDT",
                    "side": "buy",
                    "type": "limit",
                    "time_in_force": "gtc",
                    "qty": "0.01",
                    "limit_price": "50000",
                }
            ]
        },
    )

    client_order_id: ClientOrderId = Field(
        description="Your own name for the order. Sent again with the same order it does no harm."
    )
    symbol: Symbol
    side: Side
    type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    qty: PositiveAmount = Field(description="Base units, a multiple of the size increment")
    limit_price: PositiveAmount = Field(description="Quote units per base unit")

    def to_request(self) -> OrderRequest:
        return OrderRequest(**dict(self))


class OrderOut(FromRow):
    id: UUID
    account_id: UUID
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Amount
    limit_price: Amount
    status: OrderStatus
    filled_qty: Amount
    leaves_qty: Amount
    created_at: datetime
    canceled_at: datetime | None


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
