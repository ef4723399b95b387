"""The performance of an instance since it has begun: its figures, and its picture.

The formulae are those of backtests.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from ...market.instruments import Instrument, get_instrument
from ...market.words import Side
from .. import performance as formulae
from ..cycles import cycles_of
from ..drawing import Chart, Point, chart_css, standalone
from .model import EquitySnapshot, Instance
from .queries import list_equity, list_fills_of
from .showing import worth


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
    points: Sequence[EquitySnapshot]


class _Trade(NamedTuple):
    """A fill of the instance, as the formulae have it."""

    at: int
    role: str
    side: Side
    qty: Decimal
    price: Decimal
    fee: Decimal
    fee_is_base: bool


async def measure(session: AsyncSession, instance: Instance, price: Decimal | None) -> Performance:
    """Return the figures of the instance, at that price now."""
    instrument = await get_instrument(session, instance.symbol)
    points = await list_equity(session, instance)
    trades = await _trades_of(session, instance, instrument)
    lot, start = instrument.size_increment, instance.capital
    of_cycles = formulae.of_cycles(cycles_of(trades, lot, Decimal(0), Decimal(0), 0))
    equity = worth(instance, price)
    if equity is None and points:
        equity = points[-1].equity
    curve = [point.equity for point in points]
    seconds = instance.timeframe.seconds
    opened = [int(point.at.timestamp()) - seconds for point in points]
    total = None if equity is None or not start else float(formulae.growth(start, equity))
    factor = of_cycles.profit_factor
    shown = of_cycles._asdict() | {"profit_factor": None if factor is None else float(factor)}
    return Performance(
        **shown,
        started_at=instance.started_at,
        start_equity=start,
        final_equity=equity,
        total_return=total,
        buy_and_hold=float(formulae.growth(points[0].mark, points[-1].mark)) if points else None,
        max_drawdown=float(formulae.max_drawdown([start, *curve])),
        sharpe=formulae.sharpe([start, *formulae.daily(opened, curve)]),
        fees=formulae.fees_of(trades),
        fills=len(trades),
        exposure=sum(point.base >= lot for point in points) / len(points) if points else None,
        points=points,
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


def thinned(points: Sequence[EquitySnapshot], most: int) -> Sequence[EquitySnapshot]:
    """Return at most so many of the points, evenly, and always the last one."""
    step = -(-len(points) // most)
    return points[::-1][::step][::-1] if step > 1 else points


async def picture(session: AsyncSession, instance: Instance) -> str:
    """Return the equity of the instance as SVG."""
    title = f"{instance.name}: {instance.kind} on {instance.symbol}"
    points = [
        Point(int(point.at.timestamp()), float(point.equity))
        for point in await list_equity(session, instance)
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
