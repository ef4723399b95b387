"""Matching of one instrument by the rules R1 to R8 of docs/paper-venue.md.

Without I/O and clock: who keeps the orders, a database or a backtest, is no concern of this. All
amounts are exact; only a fee may be rounded, at the 18th decimal, against the account.
"""

from bisect import insort
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_UP, Context, Decimal
from enum import StrEnum
from typing import Final

from ...market.money import MAX_AMOUNT, exact, is_multiple
from ...market.words import Liquidity, OrderType, Side, TimeInForce
from ..client import VenueOrderStatus
from .funds import ZERO, Funds

_SMALLEST: Final = Decimal("1E-18")
_ROUNDING: Final = Context(prec=80)


class Reason(StrEnum):
    """The reasons why the venue refuses an order, or why one has ended."""

    INVALID_ORDER = "INVALID_ORDER"
    INVALID_PRICE_INCREMENT = "INVALID_PRICE_INCREMENT"
    INVALID_SIZE_INCREMENT = "INVALID_SIZE_INCREMENT"
    NOTIONAL_ABOVE_MAXIMUM = "NOTIONAL_ABOVE_MAXIMUM"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    POST_ONLY_WOULD_TAKE = "POST_ONLY_WOULD_TAKE"

    NO_LIQUIDITY = "NO_LIQUIDITY"
    WORST_PRICE = "WORST_PRICE"
    IOC = "IOC"
    FOK = "FOK"
    REQUESTED = "REQUESTED"


class Refused(Exception):  # noqa: N818  # no error of ours: a venue's answer
    """The venue takes no such order, and has changed nothing."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Rules:
    """An instrument as the venue trades it. A price times a size has at most 18 decimals."""

    symbol: str
    base_currency: str
    quote_currency: str
    price_increment: Decimal
    size_increment: Decimal

    def __post_init__(self) -> None:
        with exact():
            smallest = self.price_increment * self.size_increment
            if not is_multiple(smallest, _SMALLEST):
                raise ValueError(
                    f"{self.symbol}: price_increment x size_increment has more than 18 decimals"
                )


@dataclass(frozen=True, slots=True)
class Fees:
    """Shares of what an order gets that the venue keeps."""

    maker: Decimal
    taker: Decimal


@dataclass(slots=True)
class Level:
    """A price, and the size that is left there."""

    price: Decimal
    size: Decimal


@dataclass(slots=True)
class Ladder:
    """The offers of the market at one tick, the best first."""

    bids: list[Level] = field(default_factory=list)
    asks: list[Level] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Order:
    """An order at the venue. `number` is that of its arrival."""

    number: int
    account: Hashable
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal
    limit_price: Decimal | None
    post_only: bool = False
    worst_price: Decimal | None = None
    status: VenueOrderStatus = VenueOrderStatus.NEW
    filled_qty: Decimal = ZERO
    reason: str | None = None

    @property
    def bound(self) -> Decimal | None:
        """The price beyond which it takes nothing; None is any."""
        return self.worst_price if self.type is OrderType.MARKET else self.limit_price

    def reaches(self, price: Decimal) -> bool:
        """Tell whether it may trade at that price of the other side."""
        if self.bound is None:
            return True
        return self.bound >= price if self.side is Side.BUY else self.bound <= price


@dataclass(frozen=True, slots=True)
class Fill:
    """A trade of an order."""

    order: Order
    trade_id: int
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity


class Book:
    """An instrument: the offers that are left, the orders that rest, the funds behind them.

    The same calls in the same order have the same results.
    """

    def __init__(
        self,
        rules: Rules,
        fees: Fees,
        funds: Funds,
        *,
        ladder: Ladder | None = None,
        trades: int = 0,
        resting: Iterable[Order] = (),
    ) -> None:
        """Go on after `trades` trades, with the open orders `resting` and their frozen funds."""
        self.rules = rules
        self.fees = fees
        self.funds = funds
        self.ladder = ladder or Ladder()
        self.trades = trades
        self.buys: list[Order] = []
        self.sells: list[Order] = []
        for order in resting:
            self.rest(order)

    # --- What happens ----------------------------------------------------------------------------

    def tick(self, ladder: Ladder) -> list[Fill]:
        """Replace the offers, and fill the resting orders that they reach (R1)."""
        self.ladder = ladder
        fills: list[Fill] = []
        for resting, levels in ((self.buys, ladder.asks), (self.sells, ladder.bids)):
            if resting and levels and resting[0].reaches(levels[0].price):
                with exact():
                    fills += self._fill_resting(resting, levels)
        return fills

    def place(self, order: Order) -> list[Fill]:
        """Take a new order, fill what it reaches, let the rest rest or cancel it (R2, R3, R5).

        Raises Refused, and nothing has changed.
        """
        with exact():
            self._check(order)
            levels = self._opposite(order)
            takes = _takes(order, levels)
            if order.post_only and takes:
                raise Refused(Reason.POST_ONLY_WOULD_TAKE, "the order would take, not wait")
            self._freeze(order, takes)
            is_whole = sum((qty for _, qty in takes), ZERO) == order.qty
            if order.time_in_force is TimeInForce.FOK and not is_whole:
                self._cancel(order, Reason.FOK)
                return []
            fills = []
            for level, qty in takes:
                level.size -= qty
                fills.append(self._fill(order, qty, level.price, Liquidity.TAKER))
            if order.status.is_final:
                return fills
            if order.type is OrderType.MARKET:
                is_left = any(level.size for level in levels)
                self._cancel(order, Reason.WORST_PRICE if is_left else Reason.NO_LIQUIDITY)
            elif order.time_in_force is TimeInForce.IOC:
                self._cancel(order, Reason.IOC)
            else:
                self.rest(order)
            return fills

    def cancel(self, order: Order) -> None:
        """End a resting order (R7)."""
        resting = self.buys if order.side is Side.BUY else self.sells
        resting.remove(order)
        with exact():
            self._cancel(order, Reason.REQUESTED)

    def rest(self, order: Order) -> None:
        """Let an order wait whose funds are frozen already."""
        insort(self.buys if order.side is Side.BUY else self.sells, order, key=_priority)

    # --- How -------------------------------------------------------------------------------------

    def _opposite(self, order: Order) -> list[Level]:
        return self.ladder.asks if order.side is Side.BUY else self.ladder.bids

    def _fill_resting(self, resting: list[Order], levels: list[Level]) -> list[Fill]:
        """Fill orders from the first on, each once and at its own price."""
        fills: list[Fill] = []
        for order in resting:
            takes = _takes(order, levels)
            if not takes:
                break  # those behind it ask for more
            for level, qty in takes:
                level.size -= qty
            qty = sum((qty for _, qty in takes), ZERO)
            assert order.limit_price is not None
            fills.append(self._fill(order, qty, order.limit_price, Liquidity.MAKER))
        resting[:] = [order for order in resting if not order.status.is_final]
        return fills

    def _check(self, order: Order) -> None:
        is_market = order.type is OrderType.MARKET
        is_gtc = order.time_in_force is TimeInForce.GTC
        if is_market is (order.limit_price is not None):
            raise Refused(Reason.INVALID_ORDER, "a limit order has a price, a market order none")
        if order.post_only and (is_market or not is_gtc):
            raise Refused(Reason.INVALID_ORDER, "only a limit order that is gtc can be post_only")
        if order.worst_price is not None and not is_market:
            raise Refused(Reason.INVALID_ORDER, "only a market order has a worst_price")
        if order.worst_price is not None and not _is_amount(order.worst_price):
            raise Refused(Reason.INVALID_ORDER, "worst_price is no price")
        if not _is_multiple(order.qty, self.rules.size_increment):
            message = f"qty is no multiple of {self.rules.size_increment}"
            raise Refused(Reason.INVALID_SIZE_INCREMENT, message)
        price = order.limit_price
        if price is None:
            return
        if not _is_multiple(price, self.rules.price_increment):
            message = f"limit_price is no multiple of {self.rules.price_increment}"
            raise Refused(Reason.INVALID_PRICE_INCREMENT, message)
        if order.qty * price >= MAX_AMOUNT:
            raise Refused(Reason.NOTIONAL_ABOVE_MAXIMUM, "qty x limit_price is too large")

    def _freeze(self, order: Order, takes: list[tuple[Level, Decimal]]) -> None:
        """Freeze what the order may cost. One at the market's price freezes nothing: it is over."""
        if order.side is Side.SELL:
            needed = order.qty
        elif order.limit_price is not None:
            needed = order.qty * order.limit_price
        else:
            needed = sum((level.price * qty for level, qty in takes), ZERO)
        balance = self.funds[order.account, self._spent(order)]
        if needed > balance.free:
            message = f"{needed:f} {self._spent(order)} needed, {balance.free:f} free"
            raise Refused(Reason.INSUFFICIENT_FUNDS, message)
        self._move(order, order.qty)

    def _cancel(self, order: Order, reason: Reason) -> None:
        self._move(order, order.filled_qty - order.qty)
        order.status, order.reason = VenueOrderStatus.CANCELED, reason

    def _move(self, order: Order, qty: Decimal) -> None:
        """Freeze what so much of a limit order needs, or, below zero, set it free."""
        if order.limit_price is None:
            return
        amount = qty * order.limit_price if order.side is Side.BUY else qty
        balance = self.funds[order.account, self._spent(order)]
        balance.free -= amount
        balance.frozen += amount

    def _spent(self, order: Order) -> str:
        is_buy = order.side is Side.BUY
        return self.rules.quote_currency if is_buy else self.rules.base_currency

    def _fill(self, order: Order, qty: Decimal, price: Decimal, liquidity: Liquidity) -> Fill:
        rules = self.rules
        if order.side is Side.BUY:
            cost, gain, currency = qty * price, qty, rules.base_currency
        else:
            cost, gain, currency = qty, qty * price, rules.quote_currency
        rate = self.fees.maker if liquidity is Liquidity.MAKER else self.fees.taker
        fee = (gain * rate).quantize(_SMALLEST, ROUND_UP, _ROUNDING) if rate else ZERO
        self._move(order, -qty)
        self.funds[order.account, self._spent(order)].free -= cost
        self.funds[order.account, currency].free += gain - fee
        order.filled_qty += qty
        is_whole = order.filled_qty == order.qty
        order.status = VenueOrderStatus.FILLED if is_whole else VenueOrderStatus.PARTIALLY_FILLED
        self.trades += 1
        return Fill(order, self.trades, qty, price, fee, currency, liquidity)


def _is_multiple(amount: Decimal, increment: Decimal) -> bool:
    return _is_amount(amount) and is_multiple(amount, increment)


def _is_amount(amount: Decimal) -> bool:
    return amount.is_finite() and 0 < amount < MAX_AMOUNT


def _takes(order: Order, levels: list[Level]) -> list[tuple[Level, Decimal]]:
    """Return what an order takes of each level, the best first; nothing is taken yet."""
    takes = []
    leaves = order.qty - order.filled_qty
    for level in levels:
        if not leaves or not order.reaches(level.price):
            break
        if qty := min(leaves, level.size):
            takes.append((level, qty))
            leaves -= qty
    return takes


def _priority(order: Order) -> tuple[Decimal, int]:
    """Return what the best price is the least of, and of the same price the oldest order."""
    assert order.limit_price is not None
    price = order.limit_price
    return (-price if order.side is Side.BUY else price), order.number
