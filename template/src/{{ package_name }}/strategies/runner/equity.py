"""The equity of an instance since it has begun: of many closes, only what is needed is read."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, case, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.columns import AMOUNT
from .model import EquitySnapshot, Instance

_AT: Final = EquitySnapshot.at
_DAY: Final = 86_400
_HOUR: Final = timedelta(hours=1)


class EquityPoint(NamedTuple):
    """Worth of an instance at the close of a candle, in quote units."""

    at: datetime
    equity: Decimal
    mark: Decimal


class Equity(NamedTuple):
    """All the closes since it has begun in short. Amounts in quote units.

    `points` are some of them, evenly, and always the last one. `daily` is the last of each day, and
    between `peak` and `bottom` was the deepest fall. `exposure` is the share with a position.
    """

    points: Sequence[EquityPoint]
    first_mark: Decimal
    daily: Sequence[Decimal]
    peak: Decimal
    bottom: Decimal
    exposure: float


async def read_equity(
    session: AsyncSession, instance: Instance, lot: Decimal, most: int
) -> Equity | None:
    """Return the closes in short, with at most so many points; None before the first one."""
    points = await list_points(session, instance, most)
    if not points:
        return None
    first = _closes_of(instance, EquitySnapshot.mark).order_by(_AT).limit(1)
    peak, bottom = await _deepest_fall(session, instance)
    return Equity(
        points,
        (await session.scalars(first)).one(),
        await _list_daily(session, instance),
        peak,
        bottom,
        await _exposure(session, instance, lot),
    )


async def list_points(session: AsyncSession, instance: Instance, most: int) -> list[EquityPoint]:
    """Return at most so many closes, evenly, and always the last one; the oldest first."""
    age = func.row_number().over(order_by=_AT.desc()) - 1
    count = func.count().over()
    columns = (_AT, EquitySnapshot.equity, EquitySnapshot.mark)
    close = _closes_of(instance, *columns, age.label("age"), count.label("count")).subquery().c
    step = (close.count + (most - 1)) // most
    query = select(close.at, close.equity, close.mark).where(close.age % step == 0)
    return [EquityPoint(*row) for row in await session.execute(query.order_by(close.at))]


async def _list_daily(session: AsyncSession, instance: Instance) -> list[Decimal]:
    """Return the equity at the last candle that was opened on each day, in UTC."""
    opened = func.extract("epoch", _AT) - instance.timeframe.seconds
    day = func.floor(opened / _DAY)
    next_day = func.lead(day).over(order_by=_AT)
    columns = (_AT, EquitySnapshot.equity, day.label("day"), next_day.label("next_day"))
    close = _closes_of(instance, *columns).subquery().c
    query = select(close.equity).where(close.next_day.is_distinct_from(close.day))
    return list(await session.scalars(query.order_by(close.at)))


async def _deepest_fall(session: AsyncSession, instance: Instance) -> tuple[Decimal, Decimal]:
    """Return the highest equity before the close that was the furthest below it, and that."""
    start, highest = instance.capital, func.max(EquitySnapshot.equity).over(order_by=_AT)
    peak = func.greatest(literal(start, AMOUNT), highest, type_=AMOUNT)
    close = _closes_of(instance, EquitySnapshot.equity, peak.label("peak")).subquery().c
    query = select(close.peak, close.equity).where(close.peak > 0)
    deepest = (await session.execute(query.order_by(close.equity / close.peak).limit(1))).first()
    return (start, start) if deepest is None else (deepest[0], deepest[1])


async def _exposure(session: AsyncSession, instance: Instance, lot: Decimal) -> float:
    """Return the share of closes with a position.

    Of old closes those at full hours are kept: each stands for all since the one before it.
    """
    is_alone = _AT - func.lag(_AT).over(order_by=_AT) == _HOUR
    an_hour = max(1, int(_HOUR.total_seconds()) // instance.timeframe.seconds)
    weight = case((is_alone, an_hour), else_=1)
    close = _closes_of(instance, EquitySnapshot.base, weight.label("weight")).subquery().c
    total = func.sum(close.weight)
    query = select(total.filter(close.base >= lot), total)
    exposed, closes = (await session.execute(query)).one()
    return (exposed or 0) / int(closes)


def _closes_of(instance: Instance, *columns: Any) -> Select[Any]:
    query = select(*columns).where(
        EquitySnapshot.account_id == instance.account_id,
        EquitySnapshot.strategy_id == instance.id,
    )
    if instance.started_at is None:
        return query
    # The candle that it has begun with had ended before.
    length = timedelta(seconds=instance.timeframe.seconds)
    return query.where(EquitySnapshot.at > instance.started_at - length)
