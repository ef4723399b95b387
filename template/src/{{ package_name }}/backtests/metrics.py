"""Metrics of a backtest. The formulae are in docs/backtests.md."""

from collections.abc import Iterable, Sequence
from decimal import Context, Decimal, localcontext
from itertools import pairwise
from typing import Final, NamedTuple

from ..market.candles import Candles
from ..market.money import divide, exact, floor_to, multiply
from .cycles import Cycle, cycles_of
from .terms import ZERO, Holding, Run

_DAY: Final = 86_400
_WIDE: Final = Context(prec=50)


class Metrics(NamedTuple):
    """Result in figures. A share is 0.05 for 5 %; None is what can't be said.

    Amounts are in quote units. `cycles` counts those that are closed; hold is in seconds.
    `buy_and_hold` is the return of having bought at the first open, without fees.
    """

    final_equity: Decimal
    total_return: Decimal
    max_drawdown: Decimal
    sharpe: float | None
    win_rate: float | None
    profit_factor: Decimal | None
    fees: Decimal
    cycles: int
    fills: int
    wins: int
    losses: int
    best: Decimal | None
    worst: Decimal | None
    average_hold: float | None
    exposure: float
    buy_and_hold: Decimal
    start_equity: Decimal
    final_quote: Decimal
    final_base: Decimal


class Outcome(NamedTuple):
    """A run with all that is calculated from it. `equity` is at the close of each candle."""

    run: Run
    equity: Sequence[Decimal]
    cycles: Sequence[Cycle]
    metrics: Metrics


def outcome_of(run: Run, candles: Candles, lot: Decimal) -> Outcome:
    """Calculate what a run has brought. Raises ValueError if there are no candles."""
    if not candles:
        raise ValueError("there are no candles")
    first = multiply(Decimal(candles.open[0]), candles.scale.tick)
    last = multiply(Decimal(candles.close[-1]), candles.scale.tick)
    start, end = run.holdings[0], run.holdings[-1]
    with exact():
        begun_with = start.quote + start.base * first
        fees = sum((t.fee * t.price if t.fee_is_base else t.fee for t in run.trades), ZERO)
    equity = equity_of(run.holdings, candles)
    cycles = cycles_of(run.trades, lot, start.base, first, candles.open_time[0])
    closed = [cycle for cycle in cycles if cycle.closed_at is not None]
    profits = [cycle.profit for cycle in closed]
    gains = [profit for profit in profits if profit > 0]
    losses = [profit for profit in profits if profit < 0]
    decided = len(gains) + len(losses)
    with exact():
        lost = -sum(losses, ZERO)
        gained = sum(gains, ZERO)
    holds = [cycle.closed_at - cycle.opened_at for cycle in closed if cycle.closed_at is not None]
    metrics = Metrics(
        final_equity=equity[-1],
        total_return=growth(begun_with, equity[-1]),
        max_drawdown=max_drawdown([begun_with, *equity]),
        sharpe=sharpe([begun_with, *_daily(equity, candles)]),
        win_rate=len(gains) / decided if decided else None,
        profit_factor=divide(gained, lost) if lost else None,
        fees=fees,
        cycles=len(closed),
        fills=len(run.trades),
        wins=len(gains),
        losses=len(losses),
        best=max(profits, default=None),
        worst=min(profits, default=None),
        average_hold=sum(holds) / len(holds) if holds else None,
        exposure=_exposure(run.holdings, len(candles), lot),
        buy_and_hold=growth(first, last),
        start_equity=begun_with,
        final_quote=end.quote,
        final_base=end.base,
    )
    return Outcome(run, equity, cycles, metrics)


def equity_of(holdings: Sequence[Holding], candles: Candles) -> list[Decimal]:
    """Return the worth of all that is owned, in quote units, at the close of each candle."""
    equity: list[Decimal] = []
    with exact():
        for _, end, quote, base in _spans(holdings, len(candles)):
            closes = candles.close[len(equity) : end]
            worth = base * candles.scale.tick
            equity += [quote + worth * close for close in closes] if base else [quote] * len(closes)
    return equity


def growth(before: Decimal, after: Decimal) -> Decimal:
    """Return by which share something has grown; 0 where there was nothing."""
    with exact():
        return divide(after - before, before) if before else ZERO


def max_drawdown(equity: Iterable[Decimal]) -> Decimal:
    """Return the largest share by which equity was below what it had been before."""
    peak = lowest = worst = ZERO
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
        mean = sum(returns, ZERO) / len(returns)
        variance = sum(((each - mean) ** 2 for each in returns), ZERO) / (len(returns) - 1)
        return float(mean / variance.sqrt() * Decimal(365).sqrt()) if variance else None


def _daily(equity: Sequence[Decimal], candles: Candles) -> list[Decimal]:
    """Return the equity at the last candle that was opened on each day, in UTC."""
    return list(
        {at // _DAY: value for at, value in zip(candles.open_time, equity, strict=True)}.values()
    )


def _exposure(holdings: Sequence[Holding], count: int, lot: Decimal) -> float:
    held = sum(
        end - begin for begin, end, _, base in _spans(holdings, count) if floor_to(base, lot)
    )
    return held / count


def _spans(holdings: Sequence[Holding], count: int) -> Iterable[tuple[int, int, Decimal, Decimal]]:
    """Yield from which candle to before which one so much was owned."""
    ends = [holding.candle for holding in holdings[1:]] + [count]
    for (begin, quote, base), end in zip(holdings, ends, strict=True):
        yield max(begin, 0), end, quote, base
