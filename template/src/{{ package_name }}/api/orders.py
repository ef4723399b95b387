"""`/v1/orders`"""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionDep, SessionsDep
from ..core.database.transactions import transactional
from ..market.instruments import InstrumentErrorCode, Symbol
from ..market.money import Amount, PositiveAmount
from ..market.words import OrderType, Side, TimeInForce
from ..trading.codes import DENIALS, TradingErrorCode
from ..trading.orders import canceling, placing, queries
from ..trading.orders.states import OrderStatus
from .page import FromRow, Page, example
from .security import ReadAccount, TradeAccount
from .trading import TradingDep

router = ServiceRouter(prefix="/orders", tags=["orders"])

ClientOrderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


_PLACED = {
    "client_order_id": "a1",
    "symbol": "BTC-USDT",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "qty": "0.01",
    "limit_price": "50000",
}


class NewOrder(BaseModel):
    """Order to place. A market order ends at once, whatever its time_in_force says."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=example(**_PLACED))

    client_order_id: ClientOrderId = Field(
        description="Your own name for the order. Sent again with the same order it does no harm."
    )
    symbol: Symbol
    side: Side
    type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    qty: PositiveAmount = Field(description="Base units, a multiple of the size increment")
    limit_price: PositiveAmount | None = Field(
        None, description="Quote units per base unit; a limit order has one, a market order none"
    )
    post_only: bool = Field(
        False, description="Only to wait: rejected if it would be filled at once. Limit, gtc"
    )

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        if (self.type is OrderType.LIMIT) is (self.limit_price is None):
            raise ValueError("a limit order needs limit_price, a market order has none")
        if self.post_only and (
            self.type is not OrderType.LIMIT or self.time_in_force is not TimeInForce.GTC
        ):
            raise ValueError("post_only is for limit orders that are gtc")
        return self

    def to_request(self) -> placing.OrderRequest:
        return placing.OrderRequest(**dict(self))


class Order(FromRow):
    """Order as it is now."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            **_PLACED,
            status="canceled",
            filled_qty="0",
            leaves_qty="0",
            created_at="2026-11-25T09:30:00Z",
            canceled_at="2026-11-25T09:31:00Z",
        )
    )

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


class OrderPage(Page[Order]):
    """Part of the list of orders, newest first."""


@router.post(
    "",
    status_code=201,
    summary="Place an order",
    responses={
        200: {"model": Order, "description": "The same order was placed before"},
        **errors(
            InstrumentErrorCode.INSTRUMENT_NOT_FOUND,
            InstrumentErrorCode.INVALID_PRICE_INCREMENT,
            InstrumentErrorCode.INVALID_SIZE_INCREMENT,
            InstrumentErrorCode.NOTIONAL_BELOW_MINIMUM,
            InstrumentErrorCode.NOTIONAL_ABOVE_MAXIMUM,
            TradingErrorCode.INSUFFICIENT_BALANCE,
            *DENIALS,
            TradingErrorCode.CLIENT_ORDER_ID_REUSED,
        ),
    },
)
async def place_order(
    order: NewOrder,
    account: TradeAccount,
    sessions: SessionsDep,
    trading: TradingDep,
    response: Response,
) -> Order:
    terms = await trading.terms(sessions, account.id, order.symbol)
    placed, is_new = await placing.place_order(sessions, account.id, order.to_request(), terms)
    if not is_new:
        response.status_code = 200
    return Order.model_validate(placed)


@router.get(
    "", summary="List orders, newest first", responses=errors(TradingErrorCode.ORDER_NOT_FOUND)
)
async def list_orders(
    account: ReadAccount,
    session: ReadingSessionDep,
    status: OrderStatus | None = None,
    symbol: Symbol | None = None,
    client_order_id: Annotated[
        ClientOrderId | None, Query(description="The one order of that name, or none")
    ] = None,
    after: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> OrderPage:
    orders = await queries.list_orders(
        session,
        account.id,
        status=status,
        symbol=symbol,
        client_order_id=client_order_id,
        after=after,
        limit=limit + 1,
    )
    page = orders[:limit]
    return OrderPage(
        items=[Order.model_validate(order) for order in page],
        next_cursor=str(page[-1].id) if len(orders) > limit else None,
    )


@router.get(
    "/{order_id}", summary="Get an order", responses=errors(TradingErrorCode.ORDER_NOT_FOUND)
)
async def get_order(order_id: UUID, account: ReadAccount, session: ReadingSessionDep) -> Order:
    return Order.model_validate(await queries.get_order(session, account.id, order_id))


@router.delete(
    "/{order_id}", summary="Cancel an order", responses=errors(TradingErrorCode.ORDER_NOT_FOUND)
)
async def cancel_order(order_id: UUID, account: TradeAccount, session: SessionDep) -> Order:
    """It is `pending_cancel` until the exchange has said how it ended: it may be filled still."""
    async with transactional(session, retry_on_deadlock=True) as tx:
        canceled = await canceling.cancel_order(tx, account.id, order_id)
    return Order.model_validate(canceled)


@router.delete("", summary="Cancel every open order, or those of an instrument")
async def cancel_orders(
    account: TradeAccount, session: SessionDep, symbol: Symbol | None = None
) -> OrderPage:
    """Answers the orders that were open, as they are now."""
    async with transactional(session, retry_on_deadlock=True) as tx:
        canceled = await canceling.cancel_orders(tx, account.id, symbol)
    return OrderPage(items=[Order.model_validate(order) for order in canceled])
