"""The words of the market that every order and every venue use."""

from enum import StrEnum


class Side(StrEnum):
    """Side of an order: it buys or sells the base currency."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """Rule for an order's price. `limit`: at `limit_price` or better."""

    LIMIT = "limit"


class TimeInForce(StrEnum):
    """Time that an order stays open. `gtc`: good till canceled."""

    GTC = "gtc"
