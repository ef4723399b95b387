"""Performance: the figures of a run, live or in a backtest, by the same formulae.

Ratios are floats, which are the same on every machine: they come from sums and square roots alone.
Money is Decimal.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from ..market.money import exact, floor_to, multiply
from ..market.words import Side

_DAYS_A_YEAR = 365
_FEWEST_DAYS = 3


def total_return(start: float, end: float) -> float | None:
    """Return the share by which equity has grown; None where there was nothing to begin with."""
    return end / start - 1 if start else None


def max_drawdown(equity: Iterable[float]) -> float:
    """Return the largest loss from an earlier peak, as a share of the peak; 0 if there was none."""
    peak, worst = -math.inf, 0.0
    for value in equity:
        peak = max(peak, value)
        if peak > 0:
            worst = max(worst, 1 - value / peak)
    return worst


def sharpe(start: float, daily: Sequence[float]) -> float | None:
    """Return the mean of the daily returns by their deviation, for a year; the free rate is 0.

    `daily` is the equity at the end of each day, `start` that before the first. None for less than
    three days, or where nothing has changed.
    """
    if len(daily) < _FEWEST_DAYS or not start or not all(daily):
        return None
    before = [start, *daily[:-1]]
    returns = [now / then - 1 for then, now in zip(before, daily, strict=True)]
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((value - mean) ** 2 for value in returns) / (len(returns) - 1)
    return mean / math.sqrt(variance) * math.sqrt(_DAYS_A_YEAR) if variance else None


def daily(points: Iterable[tuple[int, float]]) -> list[float]:
    """Return the equity at the last candle that has opened on each UTC day.

    `points` are pairs of a candle's open time, in seconds since 1970, and the equity at its close.
    """
    days: dict[int, float] = {}
    for opened, equity in points:
        days[opened // 86_400] = equity
    return list(days.values())


class Cycle(NamedTuple):
    """A position from its first buy until nothing is left that could be sold.

    `pnl` is net of fees, in quote units; the dust that is left is worth nothing in it. Times are
    in seconds since 1970.
    """

    opened: int
    closed: int
    pnl: Decimal
    dust: Decimal


class Cycles:
    """Finds the cycles in fills, told in their order. `lot` is the smallest quantity to sell."""

    def __init__(self, lot: Decimal) -> None:
        self.closed: list[Cycle] = []
        self._lot = lot
        self._opened: int | None = None
        self._base = self._cash = Decimal(0)

    @property
    def is_open(self) -> bool:
        return self._opened is not None

    def add(
        self, at: int, side: Side, qty: Decimal, price: Decimal, fee: Decimal, *, fee_is_base: bool
    ) -> None:
        """Count a fill."""
        if self._opened is None:
            self._opened = at
            self._base = self._cash = Decimal(0)
        with exact():
            sign = 1 if side is Side.BUY else -1
            self._base += sign * qty - (fee if fee_is_base else 0)
            self._cash -= sign * qty * price + (0 if fee_is_base else fee)
        if side is Side.SELL and floor_to(self._base, self._lot) <= 0:
            self.closed.append(Cycle(self._opened, at, self._cash, self._base))
            self._opened = None


class CycleFigures(NamedTuple):
    """Figures of cycles; None where there is none to tell of."""

    cycles: int
    win_rate: float | None
    profit_factor: float | None
    best: Decimal | None
    worst: Decimal | None
    average_hold_seconds: float | None


def figures_of(cycles: Sequence[Cycle]) -> CycleFigures:
    """Return what the closed cycles come to. One that has made nothing was neither won nor lost."""
    gains = [cycle.pnl for cycle in cycles if cycle.pnl > 0]
    losses = [-cycle.pnl for cycle in cycles if cycle.pnl < 0]
    decided = len(gains) + len(losses)
    hold = [cycle.closed - cycle.opened for cycle in cycles]
    return CycleFigures(
        cycles=len(cycles),
        win_rate=len(gains) / decided if decided else None,
        profit_factor=float(sum(gains) / sum(losses)) if losses else None,
        best=max((cycle.pnl for cycle in cycles), default=None),
        worst=min((cycle.pnl for cycle in cycles), default=None),
        average_hold_seconds=sum(hold) / len(hold) if hold else None,
    )


def fee_in_quote(fee: Decimal, price: Decimal, *, fee_is_base: bool) -> Decimal:
    """Return the fee of a fill in quote units: one in the base currency at the fill's price."""
    return multiply(fee, price) if fee_is_base else fee
