"""Candles of a longer timeframe, counted together of shorter ones."""

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from .candle_store import scale_of, time_of
from .candles import Candles, Timeframe
from .instruments import get_instrument

RESAMPLED: Final = "resample"

_BUCKETS: Final = text("""
    SELECT CAST(extract(epoch FROM bucket) AS bigint) AS at,
           CAST((array_agg(open ORDER BY open_time))[1] / :tick AS bigint) AS o,
           CAST(max(high) / :tick AS bigint) AS h, CAST(min(low) / :tick AS bigint) AS l,
           CAST((array_agg(close ORDER BY open_time DESC))[1] / :tick AS bigint) AS c,
           CAST(floor(sum(volume) / :lot) AS bigint) AS v
    FROM (
        SELECT *, date_bin(CAST(:longer AS interval), open_time, to_timestamp(0)) AS bucket
        FROM candles WHERE symbol = :symbol AND timeframe = :timeframe
        AND open_time >= :start AND open_time < :end
    ) AS children
    GROUP BY bucket
    HAVING count(*) + (
        SELECT count(*) FROM candle_gaps AS gap
        WHERE gap.symbol = :symbol AND gap.timeframe = :timeframe AND gap.open_time >= bucket
        AND gap.open_time < bucket + CAST(:longer AS interval)
    ) = :children
    ORDER BY bucket
""")


async def resampled(
    tx: AsyncSession, symbol: str, timeframe: Timeframe, longer: Timeframe, start: int, end: int
) -> Candles:
    """Return candles of a longer timeframe, each counted together of all the shorter ones in it.

    One of which a shorter one is missing is left out, unless there is none of that at the exchange.
    `start` and `end` in seconds since 1970: those open within. Raises ValueError if the longer is
    no multiple.
    """
    if longer.seconds <= timeframe.seconds or longer.seconds % timeframe.seconds:
        raise ValueError(f"{longer} is no multiple of {timeframe}")
    scale = scale_of(await get_instrument(tx, symbol))
    values: dict[str, Any] = {
        "symbol": symbol,
        "timeframe": timeframe.value,
        "longer": longer.length,
        "children": longer.seconds // timeframe.seconds,
        "tick": scale.tick,
        "lot": scale.lot,
        "start": time_of(-(-start // longer.seconds) * longer.seconds),
        "end": time_of(end // longer.seconds * longer.seconds),
    }
    rows = (await tx.execute(_BUCKETS, values)).all()
    return Candles(scale, longer.seconds, [tuple(row) for row in rows])
