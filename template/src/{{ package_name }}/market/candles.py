"""Candles: the prices of an interval, once it has ended."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Self, overload


class Timeframe(StrEnum):
    """Length of a candle. Candles begin at multiples of it, counted from 1970 in UTC."""

    M1 = "1m"
    M3 = "3m"
    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def seconds(self) -> int:
        return _SECONDS[self.value[-1]] * int(self.value[:-1])

    @property
    def length(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    def begin(self, at: datetime) -> datetime:
        """Return when the candle opens that `at` is in."""
        seconds = int(at.timestamp() // self.seconds) * self.seconds
        return datetime.fromtimestamp(seconds, UTC)


_SECONDS = {"m": 60, "h": 3600, "d": 86_400}


class Scale(NamedTuple):
    """Steps in which candles count: quote units a tick, base units a lot.

    Whole numbers are read, kept and compared several times as fast as decimals.
    """

    tick: Decimal
    lot: Decimal


class Candle(NamedTuple):
    """A candle that has ended, of one instrument and timeframe; it never changes any more.

    `open_time` and `close_time` in seconds since 1970, prices in ticks, volume in lots.
    """

    open_time: int
    close_time: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    scale: Scale

    @property
    def close_price(self) -> Decimal:
        """The close in quote units."""
        return self.close * self.scale.tick

    @property
    def opened_at(self) -> datetime:
        return datetime.fromtimestamp(self.open_time, UTC)

    @property
    def closed_at(self) -> datetime:
        return datetime.fromtimestamp(self.close_time, UTC)


class Candles(Sequence[Candle]):
    """Candles of one instrument and timeframe, oldest first, as columns of whole numbers.

    A column is an `array` of 64 bits a number: a million candles take 48 MB, and a loop over
    columns makes no Candle. There may be gaps between them: look at `open_time`.
    """

    __slots__ = (
        "close",
        "high",
        "low",
        "open",
        "open_time",
        "scale",
        "timeframe_seconds",
        "volume",
    )

    def __init__(
        self, scale: Scale, timeframe_seconds: int, rows: Iterable[Sequence[int]] = ()
    ) -> None:
        """Take rows of open time, open, high, low, close and volume.

        Raises OverflowError if a number has more than 63 bits.
        """
        self.scale = scale
        self.timeframe_seconds = timeframe_seconds
        columns = zip(*rows, strict=True)
        self.open_time, self.open, self.high, self.low, self.close, self.volume = (
            array("q", next(columns, ())) for _ in range(6)
        )

    @classmethod
    def of_columns(
        cls, scale: Scale, timeframe_seconds: int, columns: Iterable[Iterable[int]]
    ) -> Self:
        """Return candles of the six columns, in the order of a row."""
        candles = cls(scale, timeframe_seconds)
        (
            candles.open_time,
            candles.open,
            candles.high,
            candles.low,
            candles.close,
            candles.volume,
        ) = (array("q", column) for column in columns)
        return candles

    @property
    def columns(self) -> "tuple[array[int], ...]":
        """Open time, open, high, low, close and volume."""
        return (self.open_time, self.open, self.high, self.low, self.close, self.volume)

    def extend(self, later: "Candles") -> None:
        """Append candles of the same instrument and timeframe."""
        for column, more in zip(self.columns, later.columns, strict=True):
            column.extend(more)

    def __len__(self) -> int:
        return len(self.open_time)

    @overload
    def __getitem__(self, index: int) -> Candle: ...
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> Candle | Self:
        if isinstance(index, slice):
            columns = (column[index] for column in self.columns)
            return self.of_columns(self.scale, self.timeframe_seconds, columns)
        return self._candle(*(column[index] for column in self.columns))

    def __iter__(self) -> Iterator[Candle]:
        return map(self._candle, *self.columns)

    def _candle(
        self, open_time: int, open_: int, high: int, low: int, close: int, volume: int
    ) -> Candle:
        close_time = open_time + self.timeframe_seconds
        return Candle(open_time, close_time, open_, high, low, close, volume, self.scale)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Candles):
            return NotImplemented
        return (self.scale, self.timeframe_seconds, self.columns) == (
            other.scale,
            other.timeframe_seconds,
            other.columns,
        )

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def __repr__(self) -> str:
        return f"<{len(self)} candles of {self.timeframe_seconds} s>"
