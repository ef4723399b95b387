"""Checks of an order before anything is stored for it: by its figures alone, without the database.

What depends on the account (its open orders, position, rate, trading state and money) is checked
by the statement that places the order, where nobody can come in between.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from ...core.errors import TradingException
from ...market.instruments import Instrument
from ...market.money import ceil_to, floor_to, multiply, plain
from ...market.words import OrderType, Side
from ..codes import TradingErrorCode
from .limits import Limits


class Checked(Protocol):
    """The figures of an order that are checked."""

    @property
    def symbol(self) -> str: ...
    @property
    def side(self) -> Side: ...
    @property
    def type(self) -> OrderType: ...
    @property
    def qty(self) -> Decimal: ...
    @property
    def limit_price(self) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class LastPrice:
    """The last price of an instrument, in quote units, and its age in seconds."""

    price: Decimal
    age: float


def worst_price(side: Side, last: Decimal, instrument: Instrument, limits: Limits) -> Decimal:
    """Return the highest price to buy at, or the lowest to sell at: the collar, on a tick."""
    if side is Side.BUY:
        return floor_to(multiply(last, 1 + limits.price_collar), instrument.price_increment)
    return ceil_to(multiply(last, 1 - limits.price_collar), instrument.price_increment)


def check(
    order: Checked, instrument: Instrument, limits: Limits, last: LastPrice | None
) -> TradingException | None:
    """Return why the limits forbid the order, None if they don't.

    An order that only reduces a position is placed nevertheless. Fails closed: without a price
    that is recent enough, no limit on a value can be checked.
    """
    if order.qty > limits.max_order_qty:
        return TradingException(
            TradingErrorCode.QUANTITY_EXCEEDS_MAX_PER_ORDER,
            f"qty may be {plain(limits.max_order_qty)} at most (RISK_MAX_ORDER_QTY)",
            {"qty": plain(order.qty), "max_order_qty": plain(limits.max_order_qty)},
        )
    if last is None or last.age > limits.stale_price:
        return TradingException(
            TradingErrorCode.PRICE_STALE,
            f"The last price of {order.symbol} is unknown, or older than"
            f" {limits.stale_price:g} s (RISK_STALE_PRICE)",
            {"symbol": order.symbol},
        )
    worst = worst_price(order.side, last.price, instrument, limits)
    price = worst if order.limit_price is None else order.limit_price
    if (price > worst) if order.side is Side.BUY else (price < worst):
        return TradingException(
            TradingErrorCode.PRICE_OUTSIDE_COLLAR,
            f"limit_price is beyond {plain(worst)}: more than {plain(limits.price_collar)} of the"
            f" last price away from it (RISK_PRICE_COLLAR)",
            {
                "limit_price": plain(price),
                "last_price": plain(last.price),
                "worst_price": plain(worst),
            },
        )
    notional = multiply(order.qty, price)
    if notional > limits.max_order_notional:
        return TradingException(
            TradingErrorCode.NOTIONAL_EXCEEDS_MAX_PER_ORDER,
            f"The order is worth more than {plain(limits.max_order_notional)}"
            " (RISK_MAX_ORDER_NOTIONAL)",
            {"notional": plain(notional), "max_order_notional": plain(limits.max_order_notional)},
        )
    return None
