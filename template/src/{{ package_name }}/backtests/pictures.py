"""Pictures of a backtest: equity, drawdown, and the price with its fills."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Final

from ..market.candles import Candles
from ..market.money import plain
from ..strategies.drawing import Chart, Marker, Point, thin
from .metrics import Outcome
from .terms import Trade

_MOST_MARKERS: Final = 1500


def equity_picture(outcome: Outcome, candles: Candles) -> str:
    """Draw equity, and beside it what the same money would be, had it bought at the first open."""
    metrics = outcome.metrics
    start = float(metrics.start_equity)
    times = _closes(candles)
    begin = Point(candles.open_time[0], start)
    equity = [begin, *_points(times, map(float, outcome.equity))]
    first = candles.open[0]
    held = [begin, *_points(times, (start * close / first for close in candles.close))]
    both = [*thin(equity), *thin(held)]
    values = [point.value for point in both]
    title = "Equity, and buy and hold"
    chart = Chart(title, begin.at, times[-1], min(values), max(values), height=320)
    chart.axes()
    chart.line(held, "hold")
    chart.line(equity, "equity")
    return chart.svg()


def drawdown_picture(outcome: Outcome, candles: Candles) -> str:
    """Draw by how many percent equity was below what it had been before."""
    times = _closes(candles)
    falls = [Point(candles.open_time[0], 0.0)]
    falls += _points(times, _falls(float(outcome.metrics.start_equity), outcome.equity))
    lowest = min(point.value for point in falls)
    chart = Chart("Drawdown", falls[0].at, times[-1], min(lowest, -0.1), 0.0, height=150)
    chart.axes("%")
    chart.area(falls, "drawdown")
    return chart.svg()


def price_picture(outcome: Outcome, candles: Candles) -> str:
    """Draw the closes, and a marker at each fill; of very many fills, some."""
    tick = float(candles.scale.tick)
    times = _closes(candles)
    closes = list(_points(times, (close * tick for close in candles.close)))
    trades = outcome.run.trades
    step = -(-len(trades) // _MOST_MARKERS) or 1
    shown = trades[::step]
    prices = [float(trade.price) for trade in shown]
    low = min(*(point.value for point in thin(closes)), *prices, closes[0].value)
    high = max(*(point.value for point in thin(closes)), *prices, closes[0].value)
    chart = Chart("Price and fills", candles.open_time[0], times[-1], low, high, height=320)
    chart.axes()
    chart.line(closes, "price")
    chart.markers([_marker(trade) for trade in shown])
    return chart.svg()


def _marker(trade: Trade) -> Marker:
    when = datetime.fromtimestamp(trade.at, UTC).strftime("%Y-%m-%d %H:%M")
    text = f"{trade.role}: {trade.side} {plain(trade.qty)} at {plain(trade.price)}, {when} UTC"
    return Marker(trade.at, float(trade.price), trade.side.value, escape(text))


def _closes(candles: Candles) -> list[int]:
    return [at + candles.timeframe_seconds for at in candles.open_time]


def _points(times: Sequence[int], values: Iterator[float]) -> Iterator[Point]:
    return map(Point, times, values)


def _falls(start: float, equity: Sequence[Decimal]) -> Iterator[float]:
    peak = start
    for value in map(float, equity):
        peak = max(peak, value)
        yield (value / peak - 1) * 100 if peak else 0.0
