"""Candles that are missing between stored ones: listed, explained where it is known, never made."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from .candle_tables import CandleGap, GapReason
from .candles import Timeframe

_GAPS: Final = text("""
    SELECT gap.*, (
        SELECT count(*) FROM candle_gaps AS known
        WHERE known.symbol = gap.symbol AND known.timeframe = gap.timeframe
        AND known.open_time >= gap.start AND known.open_time < gap.end
    ) AS explained
    FROM (
        SELECT symbol, timeframe, open_time + CAST(:length AS interval) AS start,
               lead(open_time) OVER (ORDER BY open_time) AS "end"
        FROM candles WHERE symbol = :symbol AND timeframe = :timeframe
        AND open_time >= :start AND open_time < :end
    ) AS gap
    WHERE gap.end > gap.start AND gap.start > :after ORDER BY gap.start LIMIT :limit
""")

_MISSING: Final = text("""
    SELECT at FROM generate_series(
        CAST(:start AS timestamptz), CAST(:end AS timestamptz) - CAST(:length AS interval),
        CAST(:length AS interval)
    ) AS at
    WHERE NOT EXISTS (
        SELECT FROM candles WHERE symbol = :symbol AND timeframe = :timeframe AND open_time = at
    ) AND NOT EXISTS (
        SELECT FROM candle_gaps WHERE symbol = :symbol AND timeframe = :timeframe
        AND open_time = at
    ) ORDER BY at
""")


class Gap(NamedTuple):
    """Candles that are missing between two stored ones: those that open from `start` to `end`.

    Of `missing` candles, the exchange has said again and again of `explained` that it has none.
    """

    start: datetime
    end: datetime
    missing: int
    explained: int


_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 1, 1, tzinfo=UTC)


async def find_gaps(
    session: AsyncSession,
    symbol: str,
    timeframe: Timeframe,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    after: datetime | None = None,
    limit: int = 100,
) -> list[Gap]:
    """Return the gaps between the stored candles that open from `start` on and before `end`.

    At most `limit`, oldest first, of those that begin after `after`.
    """
    values = {
        "symbol": symbol,
        "timeframe": timeframe.value,
        "length": timeframe.length,
        "start": start or _FIRST,
        "end": end or _LAST,
        "after": after or _FIRST,
        "limit": limit,
    }
    rows = await session.execute(_GAPS, values)
    return [
        Gap(
            row.start.astimezone(UTC),
            row.end.astimezone(UTC),
            (row.end - row.start) // timeframe.length,
            row.explained,
        )
        for row in rows
    ]


async def find_missing(
    session: AsyncSession, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
) -> list[datetime]:
    """Return when the candles open, from `start` on and before `end`, that are not stored.

    Without those that the exchange has none of. `start` and `end` are where candles begin.
    """
    values = {
        "symbol": symbol,
        "timeframe": timeframe.value,
        "length": timeframe.length,
        "start": start,
        "end": end,
    }
    return [at.astimezone(UTC) for at in await session.scalars(_MISSING, values)]


async def note_gaps(
    tx: AsyncSession,
    symbol: str,
    timeframe: Timeframe,
    open_times: Sequence[datetime],
    reason: GapReason = GapReason.NONE_AT_VENUE,
) -> None:
    """Note that there are no such candles, and why. A candle that comes later removes the note."""
    if not open_times:
        return
    rows = [
        {"symbol": symbol, "timeframe": timeframe, "open_time": at, "reason": reason}
        for at in open_times
    ]
    await tx.execute(insert(CandleGap).on_conflict_do_nothing(), rows)
