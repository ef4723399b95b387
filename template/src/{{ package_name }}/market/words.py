"""The words of the market that every order and every venue use."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9-]{1,32}$")]
"""Name of an instrument."""


class Side(StrEnum):
    """Side of an order: it buys or sells the base currency."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """Rule for an order's price.

    `limit`: at `limit_price` or better. `market`: at what the venue offers now.
    """

    LIMIT = "limit"
    MARKET = "market"


class TimeInForce(StrEnum):
    """Time that an order stays open.

    `gtc`: good till canceled. `ioc`: what can be filled at once, the rest is canceled. `fok`: whole
    and at once, or not at all.
    """

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"


class Liquidity(StrEnum):
    """Part of a fill's order in it: it has waited (`maker`), or has come to one (`taker`)."""

    MAKER = "maker"
    TAKER = "taker"
