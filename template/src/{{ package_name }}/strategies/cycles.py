"""Cycles: what was traded from having nothing to having nothing again, and what it brought."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple, Protocol

from ..market.money import divide, exact, floor_to, multiply
from ..market.words import Side

_ZERO: Final = Decimal(0)


class Traded(Protocol):
    """A fill, of a backtest or live. `at` in seconds since 1970; `fee_is_base`: in what it is."""

    @property
    def at(self) -> int: ...

    @property
    def role(self) -> str: ...

    @property
    def side(self) -> Side: ...

    @property
    def qty(self) -> Decimal: ...

    @property
    def price(self) -> Decimal: ...

    @property
    def fee(self) -> Decimal: ...

    @property
    def fee_is_base(self) -> bool: ...


class Cycle(NamedTuple):
    """Trades from flat to flat. Times in seconds since 1970; `closed_at` is None while it is open.

    `qty` is what was bought in all, `price` its average before fees. `profit` is in quote units,
    net of fees; of an open cycle it is what was paid and got so far. `ended_by` is the role of the
    last fill.
    """

    opened_at: int
    closed_at: int | None
    fills: int
    qty: Decimal
    price: Decimal
    profit: Decimal
    ended_by: str


def cycles_of(
    trades: Iterable[Traded], lot: Decimal, base: Decimal, price: Decimal, at: int
) -> list[Cycle]:
    """Return the cycles of the trades; what was owned before, `base`, counts as bought at `price`.

    Less than a lot is dust: it ends a cycle, and is not carried into the next.
    """
    cycles = []
    with exact():
        counting = _Counting(at)
        counting.buy(base, base, multiply(base, price))
        for trade in trades:
            if not counting.fills and not counting.held:
                counting = _Counting(trade.at)
            counting.take(trade)
            if trade.side is Side.SELL and floor_to(counting.held, lot) <= 0:
                cycles.append(counting.cycle(trade.at))
                counting = _Counting(trade.at)
        if counting.held:
            cycles.append(counting.cycle(None))
    return cycles


class _Counting:
    """A cycle that is being counted."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.fills = 0
        self.held = self.bought = self.paid = self.profit = _ZERO
        self.role = ""

    def buy(self, qty: Decimal, net: Decimal, paid: Decimal) -> None:
        self.bought += qty
        self.held += net
        self.paid += paid
        self.profit -= paid

    def take(self, trade: Traded) -> None:
        self.fills += 1
        self.role = trade.role
        amount = trade.qty * trade.price
        if trade.side is Side.BUY:
            self.buy(trade.qty, trade.qty, amount)
        else:
            self.held -= trade.qty
            self.profit += amount
        if trade.fee_is_base:
            self.held -= trade.fee
        else:
            self.profit -= trade.fee

    def cycle(self, closed_at: int | None) -> Cycle:
        price = _average(self.paid, self.bought)
        return Cycle(self.at, closed_at, self.fills, self.bought, price, self.profit, self.role)


def _average(paid: Decimal, bought: Decimal) -> Decimal:
    return divide(paid, bought) if bought else _ZERO
