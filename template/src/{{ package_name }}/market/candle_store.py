"""The stored candles: written once, and read in order."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import structlog
from prometheus_client import Counter
from sqlalchemy import Row, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.database.transactions import Source, execute_single
from ..core.errors import TradingException
from .candle_codes import CandleErrorCode
from .candles import Candle, Candles, Scale, Timeframe
from .instruments import Instrument, get_instrument
from .money import plain

STORED = Counter("candles_stored", "Candles stored that were not there", ["symbol", "timeframe"])
CHANGED = Counter(
    "candles_changed", "Stored candles that were replaced by others", ["symbol", "timeframe"]
)

IMPORTED: Final = "import"

_AT_ONCE: Final = 5_000
_LOGGED: Final = 20

_log = structlog.get_logger(__name__)


class Change(NamedTuple):
    """A stored candle of which others say something else. Seconds since 1970; values as text."""

    open_time: int
    before: dict[str, str]
    after: dict[str, str]


class Stored(NamedTuple):
    """Count of candles: how many were new, were there alike, and have replaced others."""

    inserted: int = 0
    equal: int = 0
    changed: int = 0

    def __add__(self, other: object) -> "Stored":
        assert isinstance(other, Stored)
        return Stored(*(a + b for a, b in zip(self, other, strict=True)))


def scale_of(instrument: Instrument) -> Scale:
    """Return the steps in which the candles of an instrument count."""
    return Scale(instrument.price_increment, instrument.size_increment)


# --- Writing -------------------------------------------------------------------------------------

_VALUES: Final = ("open", "high", "low", "close", "volume")
_GIVEN: Final = """
    given AS (
        SELECT to_timestamp(a) AS open_time, o * tick AS open, h * tick AS high, l * tick AS low,
               c * tick AS close, v * lot AS volume
        FROM unnest(
            CAST(:a AS bigint[]), CAST(:o AS bigint[]), CAST(:h AS bigint[]),
            CAST(:l AS bigint[]), CAST(:c AS bigint[]), CAST(:v AS bigint[])
        ) AS columns (a, o, h, l, c, v),
        (SELECT CAST(:tick AS numeric) AS tick, CAST(:lot AS numeric) AS lot) AS scale
    ), other AS (
        SELECT given.*, known.open AS known_open, known.high AS known_high,
               known.low AS known_low, known.close AS known_close, known.volume AS known_volume
        FROM given JOIN candles AS known USING (open_time)
        WHERE known.symbol = :symbol AND known.timeframe = :timeframe
        AND (known.open, known.high, known.low, known.close, known.volume)
            IS DISTINCT FROM (given.open, given.high, given.low, given.close, given.volume)
    )"""

_DIFFERING: Final = text(f"WITH {_GIVEN} SELECT * FROM other ORDER BY open_time")  # noqa: S608  # constants

# Whoever stores the same at the same time waits for the rows, and finds them alike.
_STORE: Final = text(f"""
    WITH {_GIVEN}, written AS (
        INSERT INTO candles AS known
            (symbol, timeframe, open_time, open, high, low, close, volume, source)
        SELECT :symbol, :timeframe, open_time, open, high, low, close, volume, :source
        FROM given ORDER BY open_time
        ON CONFLICT (symbol, timeframe, open_time) DO UPDATE SET
            open = excluded.open, high = excluded.high, low = excluded.low,
            close = excluded.close, volume = excluded.volume, source = excluded.source
        WHERE (known.open, known.high, known.low, known.close, known.volume) IS DISTINCT FROM
            (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
        RETURNING open_time
    ), no_gap AS (
        DELETE FROM candle_gaps USING given
        WHERE symbol = :symbol AND timeframe = :timeframe
        AND candle_gaps.open_time = given.open_time
    )
    SELECT (SELECT count(*) FROM written) AS written, other.*
    FROM (VALUES (1)) AS always (one) LEFT JOIN other ON true ORDER BY other.open_time
""")  # noqa: S608  # constants


async def store_candles(
    tx: AsyncSession,
    symbol: str,
    timeframe: Timeframe,
    candles: Candles,
    source: str,
    *,
    replace: bool = True,
) -> Stored:
    """Store candles that have ended, and return what became of them.

    One that is stored with other values is replaced, and logged with both: candles never change
    once they have ended, so somebody was wrong. With `replace=False` nothing is replaced: raises
    TradingException CANDLES_DIFFER, and the transaction must not be committed.
    """
    total = Stored()
    for begin in range(0, len(candles), _AT_ONCE):
        part = candles[begin : begin + _AT_ONCE]
        values = _values_of(symbol, timeframe, part)
        if not replace:
            refuse = [_change_of(row) for row in await tx.execute(_DIFFERING, values)]
            if refuse:
                raise _differing(symbol, timeframe, refuse)
        rows = (await tx.execute(_STORE, values | {"source": source})).all()
        changes = [_change_of(row) for row in rows if row.open_time is not None]
        _tell(symbol, timeframe, source, changes)
        written = rows[0].written
        total += Stored(written - len(changes), len(part) - written, len(changes))
    STORED.labels(symbol, timeframe).inc(total.inserted)
    CHANGED.labels(symbol, timeframe).inc(total.changed)
    return total


def _values_of(symbol: str, timeframe: Timeframe, candles: Candles) -> dict[str, Any]:
    columns = zip("aohlcv", candles.columns, strict=True)
    return {
        **{name: list(values) for name, values in columns},
        "symbol": symbol,
        "timeframe": timeframe.value,
        "tick": candles.scale.tick,
        "lot": candles.scale.lot,
    }


def _change_of(row: Row[Any]) -> Change:
    known, given = (
        {name: plain(getattr(row, prefix + name)) for name in _VALUES} for prefix in ("known_", "")
    )
    return Change(int(row.open_time.timestamp()), known, given)


def _tell(symbol: str, timeframe: Timeframe, source: str, changes: Sequence[Change]) -> None:
    for change in changes[:_LOGGED]:
        _log.error(
            "stored candle replaced",
            symbol=symbol,
            timeframe=timeframe.value,
            open_time=told(change.open_time),
            source=source,
            before=change.before,
            after=change.after,
        )
    if len(changes) > _LOGGED:
        _log.error("more stored candles replaced", symbol=symbol, count=len(changes) - _LOGGED)


def _differing(symbol: str, timeframe: Timeframe, changes: Sequence[Change]) -> TradingException:
    first = changes[0]
    name = next(name for name in _VALUES if first.before[name] != first.after[name])
    return TradingException(
        CandleErrorCode.CANDLES_DIFFER,
        f"{len(changes)} candles of {symbol} {timeframe} are stored with other values, the first"
        f" of {told(first.open_time)}: its {name} is {first.before[name]}, and {first.after[name]}"
        " here",
        {"count": len(changes), "first": told(first.open_time)},
    )


def told(seconds: int) -> str:
    """Return seconds since 1970 as people and JSON have them: `2026-01-01T00:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


# --- Reading -------------------------------------------------------------------------------------

_ROW: Final = """
    SELECT CAST(extract(epoch FROM open_time) AS bigint) AS at,
           CAST(open / :tick AS bigint) AS o, CAST(high / :tick AS bigint) AS h,
           CAST(low / :tick AS bigint) AS l, CAST(close / :tick AS bigint) AS c,
           CAST(floor(volume / :lot) AS bigint) AS v,
           open % :tick = 0 AND high % :tick = 0 AND low % :tick = 0 AND close % :tick = 0 AS fits
    FROM candles WHERE symbol = :symbol AND timeframe = :timeframe
"""
_AFTER: Final = text(f"""
    {_ROW} AND open_time > :after AND open_time < :end ORDER BY open_time LIMIT :limit
""")
_NEWEST: Final = text(f"""
    SELECT * FROM (
        {_ROW} AND open_time < :end ORDER BY open_time DESC LIMIT :limit
    ) AS newest ORDER BY at
""")  # noqa: S608  # constants
_LARGEST_TIME: Final = 250_000_000_000


async def closed_candles(
    source: Source,
    symbol: str,
    timeframe: Timeframe,
    after: int | None = None,
    until: int | None = None,
    limit: int = 1_000,
) -> list[Candle]:
    """Return the stored candles that open after `after` and have ended by `until`, oldest first.

    Times in seconds since 1970. Raises TradingException INSTRUMENT_NOT_FOUND, and
    CANDLES_OFF_SCALE if the instrument's increments are no longer what they were.
    """
    return list(await _read(source, _AFTER, symbol, timeframe, after, until, limit))


async def newest_candles(
    source: Source, symbol: str, timeframe: Timeframe, until: int | None = None, limit: int = 1
) -> list[Candle]:
    """Return the newest stored candles that have ended by `until`, oldest first."""
    return list(await _read(source, _NEWEST, symbol, timeframe, None, until, limit))


async def read_candles(
    source: Source,
    symbol: str,
    timeframe: Timeframe,
    start: int,
    end: int,
    *,
    at_once: int = 20_000,
) -> AsyncIterator[Candles]:
    """Yield the stored candles that open from `start` on and before `end`, oldest first, in parts.

    Raises as `closed_candles`.
    """
    after = start - 1
    while True:
        part = await _read(
            source, _AFTER, symbol, timeframe, after, end, at_once, is_open_time=True
        )
        if part:
            yield part
        if len(part) < at_once:
            return
        after = part.open_time[-1]


async def _read(
    source: Source,
    statement: TextClause,
    symbol: str,
    timeframe: Timeframe,
    after: int | None,
    until: int | None,
    limit: int,
    *,
    is_open_time: bool = False,
) -> Candles:
    scale = scale_of(await get_instrument(source, symbol))
    end = _LARGEST_TIME if until is None else until + (0 if is_open_time else 1 - timeframe.seconds)
    values = {
        "symbol": symbol,
        "timeframe": timeframe.value,
        "tick": scale.tick,
        "lot": scale.lot,
        "end": time_of(end),
        "limit": limit,
    }
    if statement is _AFTER:
        values["after"] = time_of(-1 if after is None else after)
    rows = await execute_single(source, statement, values)
    if not all(row.fits for row in rows):
        raise TradingException(
            CandleErrorCode.CANDLES_OFF_SCALE,
            f"Candles of {symbol} are no multiples of its price increment {plain(scale.tick)}",
            {"symbol": symbol},
        )
    return Candles(scale, timeframe.seconds, [tuple(row)[:6] for row in rows])


def time_of(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, _LARGEST_TIME), UTC)


_SPAN: Final = text("""
    SELECT min(open_time) AS first, max(open_time) AS last, count(*) AS size FROM candles
    WHERE symbol = :symbol AND timeframe = :timeframe
""")


class Span(NamedTuple):
    """Open times of the first and the last stored candle, and how many candles there are."""

    first: datetime
    last: datetime
    size: int


async def span_of(source: Source, symbol: str, timeframe: Timeframe) -> Span | None:
    """Return what is stored of an instrument and timeframe; None if nothing is."""
    values = {"symbol": symbol, "timeframe": timeframe.value}
    [row] = await execute_single(source, _SPAN, values)
    return Span(row.first, row.last, row.size) if row.size else None
