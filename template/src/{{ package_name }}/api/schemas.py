"""What goes over the wire."""

from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from ..trading.accounts import AccountMode
from ..trading.money import Amount, PositiveAmount
from ..trading.orders import OrderRequest, OrderStatus, OrderType, Side, TimeInForce

ItemT = TypeVar("ItemT")

ClientOrderId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,32}$")]


class Page(BaseModel, Generic[ItemT]):
    """Part of a list. If `next_cursor` is not null there is more: ask with `after` set to it."""

    items: list[ItemT]
    next_cursor: str | None = None


class FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


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


class AccountOut(FromRow):
    id: UUID
    name: str
    mode: AccountMode


class BalanceOut(FromRow):
    currency: str
    available: Amount
    held: Amount
    total: Amount


class InstrumentOut(FromRow):
    symbol: str
    base_currency: str
    quote_currency: str
    price_increment: Amount
    size_increment: Amount
    min_notional: Amount
