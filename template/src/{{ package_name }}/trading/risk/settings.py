"""Settings of risk."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from ...core.config.groups import Group

_Amount = Annotated[Decimal, Field(gt=0, lt=Decimal(10) ** 20)]


class RiskSettings(Group):
    max_order_qty: _Amount = Field(
        Decimal(1000), description="Base units that an order may be for at most"
    )
    max_order_notional: _Amount = Field(
        Decimal(1_000_000), description="Quote units that an order may be worth at most"
    )
    max_open_orders: int = Field(
        500, ge=1, description="Orders of an account that may be open at the same time"
    )
    max_position: _Amount = Field(
        Decimal(10_000),
        description="Base units of an instrument that an account may have bought at most, what its"
        " open orders may still buy included",
    )
    max_orders_per_second: int = Field(
        100, ge=1, description="Orders that an account may place in a second"
    )
    price_collar: Annotated[Decimal, Field(gt=0, lt=1)] = Field(
        Decimal("0.1"),
        description="Share of the last price by which a buy may be above it, a sell below it; a"
        " market order is filled within it",
    )
    stale_price: float = Field(
        30, gt=0, le=3600, description="Seconds after which a last price is too old to trade by"
    )
    max_daily_loss: _Amount = Field(
        Decimal(10_000),
        description="Quote units that an account may lose in a day (UTC); then it may only reduce",
    )
