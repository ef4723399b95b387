"""The words of the market that every order and every venue use."""

from enum import StrEnum


class Side(StrEnum):
    """Whether an order buys or sells the base currency."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order's price is decided. `limit`: at `limit_price` or better."""

    LIMIT = "limit"


class TimeInForce(StrEnum):
    """How long an order stays open. `gtc`: good till canceled."""

    GTC = "gtc"
