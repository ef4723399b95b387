"""Metrics of a backtest. The formulae are those of live strategies, in performance.py."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple

from ..market.candles import Candles
from ..market.money import exact, floor_to, multiply
from ..strategies.cycles import Cycle, cycles_of
from ..strategies.performance import daily, fees_of, growth, max_drawdown, of_cycles, sharpe
from .terms import Holding, Run


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
    equity = equity_of(run.holdings, candles)
    cycles = cycles_of(run.trades, lot, start.base, first, candles.open_time[0])
    metrics = Metrics(
        final_equity=equity[-1],
        total_return=growth(begun_with, equity[-1]),
        max_drawdown=max_drawdown([begun_with, *equity]),
        sharpe=sharpe([begun_with, *daily(candles.open_time, equity)]),
        fees=fees_of(run.trades),
        fills=len(run.trades),
        exposure=_exposure(run.holdings, len(candles), lot),
        buy_and_hold=growth(first, last),
        start_equity=begun_with,
        final_quote=end.quote,
        final_base=end.base,
        **of_cycles(cycles)._asdict(),
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
