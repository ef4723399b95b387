"""Showing strategies: what one has open, what it is worth, and how well it went."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.instruments import get_instrument
from ...market.money import exact, proceeds
from ...trading.orders.model import Order
from ...trading.orders.states import OPEN
from ...trading.risk.state import TradingState, state_in_force
from .. import performance as formulae
from ..finding import find_kinds
from .drawing import draw_equity
from .model import EquitySnapshot, Instance, Status
from .queries import list_equity, list_fills_of
from .stepping import close_after


async def shown(session: AsyncSession, instance: Instance, price: Decimal | None) -> dict[str, Any]:
    """Return what people want to see of the instance beside its row."""
    query = (
        select(Order.role, func.count())
        .where(
            Order.account_id == instance.account_id,
            Order.strategy_id == instance.id,
            Order.status.in_(OPEN),
        )
        .group_by(Order.role)
        .order_by(Order.role)
    )
    orders = (await session.execute(query)).all()
    in_force = await state_in_force(session, instance.account_id)
    is_halted = instance.is_active and in_force.state is TradingState.HALTED
    next_candle = None
    if instance.is_active and instance.cursor_candle is not None:
        next_candle = close_after(instance.cursor_candle, instance.timeframe)
    return {
        "halted": is_halted,
        "open_orders": {role or "": count for role, count in orders},
        "next_candle": next_candle,
        "run_by": instance.lease_owner,
        "equity": worth(instance, price),
        "details": details(instance),
    }


def status_text(instance: Instance, *, halted: bool) -> str:
    """Return its condition in words: `running`, or `running (halted)`."""
    is_running = instance.status in (Status.RUNNING, Status.PAUSED)
    return f"{instance.status.value} (halted)" if halted and is_running else instance.status.value


def worth(instance: Instance, price: Decimal | None) -> Decimal | None:
    """Return what the instance is worth at that price, in quote units."""
    if price is None:
        return None
    with exact():
        return instance.cash + proceeds(instance.base, price)


def details(instance: Instance) -> dict[str, Any]:
    """Return what its kind says of its state; nothing where that can't be read any more."""
    kind = find_kinds().get(instance.kind)
    if kind is None or instance.state is None:
        return {}
    try:
        return kind.status(kind.load(instance.state))
    except Exception:  # whatever it is, it is the strategy's, and the rest can be shown
        return {}


class Performance(NamedTuple):
    """The figures of an instance since it has begun. Ratios are shares."""

    started_at: datetime | None
    capital: Decimal
    equity: Decimal | None
    total_return: float | None
    buy_and_hold_return: float | None
    max_drawdown: float
    sharpe: float | None
    win_rate: float | None
    profit_factor: float | None
    fees: Decimal
    fills: int
    cycles: int
    best: Decimal | None
    worst: Decimal | None
    average_hold_seconds: float | None
    exposure: float | None
    points: Sequence[EquitySnapshot]


async def performance(
    session: AsyncSession, instance: Instance, price: Decimal | None
) -> Performance:
    """Return the figures of the instance, at that price now."""
    instrument = await get_instrument(session, instance.symbol)
    points = await list_equity(session, instance)
    fills = await list_fills_of(session, instance, since=instance.started_at, oldest_first=True)
    cycles = formulae.Cycles(instrument.size_increment)
    fees = Decimal(0)
    for fill, _ in fills:
        is_base = fill.fee_currency == instrument.base_currency
        at = int(fill.created_at.timestamp())
        cycles.add(at, fill.side, fill.qty, fill.price, fill.fee, fee_is_base=is_base)
        with exact():
            fees += formulae.fee_in_quote(fill.fee, fill.price, fee_is_base=is_base)
    figures = formulae.figures_of(cycles.closed)
    start = float(instance.capital)
    equity = worth(instance, price)
    if equity is None and points:
        equity = points[-1].equity
    curve = [start, *(float(point.equity) for point in points)]
    seconds = instance.timeframe.seconds
    opened = [(int(point.at.timestamp()) - seconds, float(point.equity)) for point in points]
    first, last = (points[0].mark, points[-1].mark) if points else (None, None)
    return Performance(
        started_at=instance.started_at,
        capital=instance.capital,
        equity=equity,
        total_return=None if equity is None else formulae.total_return(start, float(equity)),
        buy_and_hold_return=float(last / first) - 1 if first and last else None,
        max_drawdown=formulae.max_drawdown(curve),
        sharpe=formulae.sharpe(start, formulae.daily(opened)),
        win_rate=figures.win_rate,
        profit_factor=figures.profit_factor,
        fees=fees,
        fills=len(fills),
        cycles=figures.cycles,
        best=figures.best,
        worst=figures.worst,
        average_hold_seconds=figures.average_hold_seconds,
        exposure=_exposure(points, instrument.size_increment),
        points=points,
    )


def _exposure(points: Sequence[EquitySnapshot], lot: Decimal) -> float | None:
    if not points:
        return None
    return sum(point.base >= lot for point in points) / len(points)


def thinned(points: Sequence[EquitySnapshot], most: int) -> Sequence[EquitySnapshot]:
    """Return at most so many of the points, evenly, and always the last one."""
    step = -(-len(points) // most)
    return points[::-1][::step][::-1] if step > 1 else points


async def picture(session: AsyncSession, instance: Instance) -> str:
    """Return the equity of the instance as SVG."""
    points = thinned(await list_equity(session, instance), 1000)
    title = f"{instance.name}: {instance.kind} on {instance.symbol}"
    return draw_equity(title, [(point.at, float(point.equity)) for point in points])
