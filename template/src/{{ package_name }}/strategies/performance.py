"""Performance: the figures of a run, live or in a backtest, by the same formulae.

docs/backtests.md has them in words. A share is 0.05 for 5 %; None is what can't be said.
"""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from typing import Final, NamedTuple

from ..market.money import divide, exact
from .cycles import Cycle, Traded

_DAY: Final = 86_400
_WIDE: Final = Context(prec=50)
_ZERO: Final = Decimal(0)


def growth(before: Decimal, after: Decimal) -> Decimal:
    """Return by which share something has grown; 0 where there was nothing."""
    with exact():
        return divide(after - before, before) if before else _ZERO


def max_drawdown(equity: Iterable[Decimal]) -> Decimal:
    """Return the largest share by which equity was below what it had been before."""
    peak = lowest = worst = _ZERO
    for value in equity:
        if value > peak:
            worst = max(worst, _fall(peak, lowest))
            peak = lowest = value
        elif value < lowest:
            lowest = value
    return max(worst, _fall(peak, lowest))


def _fall(peak: Decimal, lowest: Decimal) -> Decimal:
    return -growth(peak, lowest)


def sharpe(daily: Sequence[Decimal]) -> float | None:
    """Return mean / standard deviation of the daily returns, for a year of 365 days.

    The first value is that before the first day. None with less than three days, or if every day
    was like the others.
    """
    if len(daily) < 4 or not all(daily[:-1]):
        return None
    with localcontext(_WIDE):
        returns = [after / before - 1 for before, after in pairwise(daily)]
        mean = sum(returns, _ZERO) / len(returns)
        variance = sum(((each - mean) ** 2 for each in returns), _ZERO) / (len(returns) - 1)
        return float(mean / variance.sqrt() * Decimal(365).sqrt()) if variance else None


def daily(opened: Iterable[int], equity: Iterable[Decimal]) -> list[Decimal]:
    """Return the equity at the last candle that was opened on each day, in UTC.

    `opened` is when each candle was, in seconds since 1970, and `equity` that at its close.
    """
    return list({at // _DAY: value for at, value in zip(opened, equity, strict=True)}.values())


def fees_of(trades: Iterable[Traded]) -> Decimal:
    """Return the fees in quote units: one in the base currency at its fill's price."""
    with exact():
        return sum((t.fee * t.price if t.fee_is_base else t.fee for t in trades), _ZERO)


class OfCycles(NamedTuple):
    """Figures of the cycles that are closed. Amounts in quote units, hold in seconds."""

    cycles: int
    wins: int
    losses: int
    win_rate: float | None
    profit_factor: Decimal | None
    best: Decimal | None
    worst: Decimal | None
    average_hold: float | None


def of_cycles(cycles: Iterable[Cycle]) -> OfCycles:
    """Return what the cycles come to. One that has brought nothing was neither won nor lost."""
    closed = [cycle for cycle in cycles if cycle.closed_at is not None]
    profits = [cycle.profit for cycle in closed]
    gains = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    decided = len(gains) + len(losses)
    holds = [cycle.closed_at - cycle.opened_at for cycle in closed if cycle.closed_at is not None]
    with exact():
        gained, lost = sum(gains, _ZERO), -sum(losses, _ZERO)
    return OfCycles(
        cycles=len(closed),
        wins=len(gains),
        losses=len(losses),
        win_rate=len(gains) / decided if decided else None,
        profit_factor=divide(gained, lost) if lost else None,
        best=max(profits, default=None),
        worst=min(profits, default=None),
        average_hold=sum(holds) / len(holds) if holds else None,
    )
