"""The performance of an instance since it has begun: its figures, and its picture.

The formulae are those of backtests.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ...market.instruments import Instrument, get_instrument
from ...market.words import Side
from .. import performance as formulae
from ..cycles import cycles_of
from ..drawing import Chart, Point, chart_css, standalone
from .equity import EquityPoint, list_points, read_equity
from .model import Instance
from .queries import list_fills_of
from .showing import worth

_MOST_DRAWN: Final = 1000


class Performance(NamedTuple):
    """The figures of an instance, named as in the result of a backtest. Ratios are shares.

    `final_equity` is what it is worth now. None is what can't be said.
    """

    started_at: datetime | None
    start_equity: Decimal
    final_equity: Decimal | None
    total_return: float | None
    buy_and_hold: float | None
    max_drawdown: float
    sharpe: float | None
    win_rate: float | None
    profit_factor: float | None
    fees: Decimal
    fills: int
    cycles: int
    wins: int
    losses: int
    best: Decimal | None
    worst: Decimal | None
    average_hold: float | None
    exposure: float | None
    points: Sequence[EquityPoint]


class _Trade(NamedTuple):
    """A fill of the instance, as the formulae have it."""

    at: int
    role: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_is_base: bool


async def measure(
    session: AsyncSession, instance: Instance, price: Decimal | None, most_points: int = 1
) -> Performance:
    """Return the figures of the instance, at that price now, and its equity at some closes."""
    instrument = await get_instrument(session, instance.symbol)
    lot, start = instrument.size_increment, instance.capital
    closes = await read_equity(session, instance, lot, most_points)
    trades = await _trades_of(session, instance, instrument)
    of_cycles = formulae.of_cycles(cycles_of(trades, lot, Decimal(0), Decimal(0), 0))
    equity = worth(instance, price)
    if equity is None and closes:
        equity = closes.points[-1].equity
    total = None if equity is None or not start else float(formulae.growth(start, equity))
    factor = of_cycles.profit_factor
    shown = of_cycles._asdict() | {"profit_factor": None if factor is None else float(factor)}
    return Performance(
        **shown,
        started_at=instance.started_at,
        start_equity=start,
        final_equity=equity,
        total_return=total,
        buy_and_hold=closes and float(formulae.growth(closes.first_mark, closes.points[-1].mark)),
        max_drawdown=float(formulae.max_drawdown([closes.peak, closes.bottom])) if closes else 0.0,
        sharpe=formulae.sharpe([start, *closes.daily]) if closes else None,
        fees=formulae.fees_of(trades),
        fills=len(trades),
        exposure=closes and closes.exposure,
        points=closes.points if closes else [],
    )


async def _trades_of(
    session: AsyncSession, instance: Instance, instrument: Instrument
) -> list[_Trade]:
    found = await list_fills_of(session, instance, since=instance.started_at, oldest_first=True)
    return [
        _Trade(
            int(fill.created_at.timestamp()),
            order.role or "",
            fill.side,
            fill.qty,
            fill.price,
            fill.fee,
            fill.fee_currency == instrument.base_currency,
        )
        for fill, order in found
    ]


async def picture(session: AsyncSession, instance: Instance) -> str:
    """Return the equity of the instance as SVG."""
    title = f"{instance.name}: {instance.kind} on {instance.symbol}"
    points = [
        Point(int(point.at.timestamp()), float(point.equity))
        for point in await list_points(session, instance, _MOST_DRAWN)
    ]
    if points:
        values = [point.value for point in points]
        chart = Chart(title, points[0].at, points[-1].at, min(values), max(values))
        chart.axes()
        chart.line(points, "equity")
    else:
        chart = Chart(title, 0, 1, 0, 1)
        chart.words("no candle has closed yet")
    return standalone(chart.svg(), chart_css())
