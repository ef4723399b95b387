"""`/v1/orders`"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionDep, SessionsDep
from ..core.database.transactions import transactional
from ..market.instruments import InstrumentErrorCode
from ..market.money import Amount, PositiveAmount
from ..market.words import OrderType, Side, Symbol, TimeInForce
from ..trading.codes import DENIALS, TradingErrorCode
from ..trading.events import EventType
from ..trading.orders import canceling, events, placing, queries
from ..trading.orders.states import OrderStatus
from .page import FromRow, Page, example
from .security import ReadAccount, TradeAccount
from .trading import NOT_NOW, TradingDep

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
    "post_only": False,
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
            reason_code="REQUESTED",
            filled_qty="0",
            leaves_qty="0",
            filled_avg_price=None,
            venue_order_id=None,
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
    limit_price: Amount | None
    post_only: bool
    status: OrderStatus
    reason_code: str | None = Field(description="Why it was denied, rejected or ended, in capitals")
    filled_qty: Amount
    leaves_qty: Amount
    filled_avg_price: Amount | None
    venue_order_id: str | None = Field(description="Name of the order at the exchange")
    created_at: datetime
    canceled_at: datetime | None


class OrderPage(Page[Order]):
    """Part of the list of orders, newest first."""


class OrderEvent(FromRow):
    """Change of an order, or fill of it; `data` is what it is from then on.

    `seq` numbers all that happens to the account, so that an order's own have gaps.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            seq=3,
            type="order",
            data={
                "status": "partially_filled",
                "filled_qty": "0.004",
                "leaves_qty": "0.006",
                "filled_avg_price": "49990",
                "reason_code": None,
                "venue_order_id": "17",
            },
            created_at="2026-11-25T09:30:01Z",
        )
    )

    seq: int
    type: EventType
    data: dict[str, Any]
    created_at: datetime


class OrderEventPage(Page[OrderEvent]):
    """Part of the history of an order, oldest first."""


class Open(StrEnum):
    """Word for every status of an order that may still be filled."""

    OPEN = "open"


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
            *NOT_NOW,
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
    status: Annotated[
        OrderStatus | Open | None, Query(description="`open`: what may still be filled")
    ] = None,
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
        status=None if status is Open.OPEN else status,
        is_open=status is Open.OPEN,
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


@router.get(
    "/{order_id}/events",
    summary="List what has happened to an order, oldest first",
    responses=errors(TradingErrorCode.ORDER_NOT_FOUND),
)
async def list_order_events(
    order_id: UUID,
    account: ReadAccount,
    session: ReadingSessionDep,
    after: Annotated[int | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> OrderEventPage:
    await queries.get_order(session, account.id, order_id)
    found = await events.list_order_events(
        session, account.id, order_id, after=after, limit=limit + 1
    )
    page = [OrderEvent.model_validate(event) for event in found[:limit]]
    return OrderEventPage(items=page, next_cursor=str(page[-1].seq) if len(found) > limit else None)
