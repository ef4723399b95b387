"""Candles in files: CSV, plain or as gzip. What is not exactly a candle is refused, by its line.

timestamp,open,high,low,close,volume
2026-01-01T00:00:00Z,50000.00,50053.07,49796.96,49812.26,31.5
"""

import csv
import gzip
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from enum import StrEnum
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from .candles import Candles, Scale, Timeframe
from .money import plain

COLUMNS: Final = ("timestamp", "open", "high", "low", "close", "volume")

_NAMES: Final = {
    "timestamp": {"timestamp", "time", "ts", "t", "date", "datetime", "unix", "open_time"},
    "open": {"open", "o", "open_price"},
    "high": {"high", "h", "high_price"},
    "low": {"low", "l", "low_price"},
    "close": {"close", "c", "close_price"},
    "volume": {"volume", "v", "vol", "base_volume"},
}
_NUMBER: Final = re.compile(r"[0-9]{1,38}(\.[0-9]{1,38})?([eE][+-]?[0-9]{1,2})?")
_WIDE: Final = Context(prec=100)
_LARGEST: Final = 2**63 - 1


class TimeUnit(StrEnum):
    """Way in which a file tells its times."""

    SECONDS = "seconds since 1970"
    MILLISECONDS = "milliseconds since 1970"
    MICROSECONDS = "microseconds since 1970"
    ISO = "ISO 8601"


_PER_SECOND: Final = {
    TimeUnit.SECONDS: 1,
    TimeUnit.MILLISECONDS: 1_000,
    TimeUnit.MICROSECONDS: 1_000_000,
}


class Refusal(NamedTuple):
    """A line of a file that can't be taken, counted from 1, and why."""

    line: int
    reason: str


class CandleFileError(ValueError):
    """A file can't be taken, for all of `refusals`."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        line, reason = refusals[0]
        more = f", and {len(refusals) - 1} more lines are refused" if len(refusals) > 1 else ""
        super().__init__(f"line {line}: {reason}{more}")
        self.refusals = refusals


class CandleFile(NamedTuple):
    """The candles of a file, oldest first, and how it was understood."""

    candles: Candles
    columns: dict[str, str]
    """The name in the file of each of COLUMNS."""
    unit: TimeUnit | None
    """None, if there is no candle in it."""
    repeated: int
    """Lines that said again, digit for digit, what another one had said."""
    cut: int
    """Volumes that were no whole number of lots: what is less than a lot is left out."""


def read_csv(path: Path, scale: Scale, timeframe: Timeframe) -> Candles:
    """Return the candles of a CSV file, oldest first, in whatever order they are there.

    Raises CandleFileError, which names every line that can't be taken, and OSError.
    """
    return read_csv_file(path, scale, timeframe).candles


def read_csv_file(path: Path, scale: Scale, timeframe: Timeframe) -> CandleFile:
    """Return the candles of a CSV file, and how it was understood. Raises as `read_csv`."""
    try:
        with _open_text(path, "rt") as file:
            lines = csv.reader(file, strict=True)
            header = next(lines, [])
            # Of a value over several lines, the last one: a candle has none.
            rows = ((lines.line_num, cells) for cells in lines if cells)
            return understand(header, rows, scale, timeframe)
    except (csv.Error, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise CandleFileError([Refusal(1, f"the file can't be read: {error}")]) from error


def understand(
    header: Sequence[str],
    rows: Iterable[tuple[int, Sequence[str]]],
    scale: Scale,
    timeframe: Timeframe,
) -> CandleFile:
    """Return the candles of numbered rows of text. Raises CandleFileError."""
    places = _places_of(header)
    reader = _Reader(scale, timeframe, places, len(header))
    with localcontext(_WIDE):
        for line, cells in rows:
            reader.take(line, cells)
    if reader.refusals:
        raise CandleFileError(reader.refusals)
    found = sorted(reader.rows.values())
    return CandleFile(
        Candles(scale, timeframe.seconds, [row for row, _ in found]),
        {name: header[place] for name, place in zip(COLUMNS, places, strict=True)},
        reader.unit,
        reader.repeated,
        reader.cut,
    )


def _places_of(header: Sequence[str]) -> list[int]:
    """Return at which place of a row each of COLUMNS is."""
    names = [name.strip().lstrip("\ufeff").lower().replace(" ", "_") for name in header]
    wanted = ",".join(COLUMNS)
    places = []
    for column in COLUMNS:
        found = [place for place, name in enumerate(names) if name in _NAMES[column]]
        if not found:
            reason = f"no column {column}: the first line has to name them, such as {wanted}"
            raise CandleFileError([Refusal(1, reason)])
        if len(found) > 1:
            both = " and ".join(header[place] for place in found)
            raise CandleFileError([Refusal(1, f"{both} could both be the column {column}")])
        places += found
    return places


class _Reader:
    """Rows of text become rows of numbers, one after the other."""

    def __init__(
        self, scale: Scale, timeframe: Timeframe, places: Sequence[int], width: int
    ) -> None:
        self.unit: TimeUnit | None = None
        self.rows: dict[int, tuple[tuple[int, ...], int]] = {}
        self.refusals: list[Refusal] = []
        self.repeated = 0
        self.cut = 0
        self._scale = scale
        self._timeframe = timeframe
        self._places = places
        self._width = width

    def take(self, line: int, cells: Sequence[str]) -> None:
        try:
            if len(cells) != self._width:
                raise ValueError(f"{len(cells)} values, and {self._width} columns")
            row = self._row([cells[place].strip() for place in self._places])
            known, before = self.rows.setdefault(row[0], (row, line))
            if known != row:
                raise ValueError(f"another candle than line {before} has for the same time")
            self.repeated += before != line
        except ValueError as error:
            self.refusals.append(Refusal(line, str(error)))

    def _row(self, cells: Sequence[str]) -> tuple[int, ...]:
        at = self._time(cells[0])
        tick = self._scale.tick
        open_, high, low, close = (
            self._price(name, text, tick)
            for name, text in zip(COLUMNS[1:5], cells[1:5], strict=True)
        )
        if not low <= min(open_, close) <= max(open_, close) <= high:
            raise ValueError("open and close have to be between low and high")
        lots, rest = divmod(_number("volume", cells[5]), self._scale.lot)
        if lots > _LARGEST:
            raise ValueError(f"volume {cells[5]} is too large")
        self.cut += rest != 0
        return at, open_, high, low, close, int(lots)

    def _price(self, name: str, text: str, tick: Decimal) -> int:
        ticks, rest = divmod(_number(name, text), tick)
        if rest:
            raise ValueError(f"{name} {text} is no multiple of {plain(tick)}")
        if not 0 < ticks <= _LARGEST:
            raise ValueError(f"{name} {text} is no price")
        return int(ticks)

    def _time(self, text: str) -> int:
        unit, seconds, rest = _time_of(text)
        self.unit = self.unit or unit
        if unit is not self.unit:
            raise ValueError(f"timestamp {text} is {unit}, and those before are {self.unit}")
        if rest or seconds % self._timeframe.seconds:
            raise ValueError(f"timestamp {text} is not where a candle of {self._timeframe} begins")
        return seconds


def _number(name: str, text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name} {text!r} is no number, such as 50000.25")
    return Decimal(text)


def _time_of(text: str) -> tuple[TimeUnit, int, int]:
    """Return the unit, by its magnitude, the whole seconds since 1970, and whether there is more"""
    if text.isascii() and text.isdigit():
        number = int(text)
        for unit, largest in (
            (TimeUnit.SECONDS, 10**11),  # until the year 5138
            (TimeUnit.MILLISECONDS, 10**14),
            (TimeUnit.MICROSECONDS, 10**17),
        ):
            if number < largest:
                return (unit, *divmod(number, _PER_SECOND[unit]))
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"timestamp {text!r} is neither a number nor ISO 8601") from None
    if at.tzinfo is None:
        raise ValueError(f"timestamp {text} has no time zone, such as Z at its end")
    whole = at.replace(microsecond=0)
    return TimeUnit.ISO, int(whole.timestamp()), at.microsecond


def write_csv(path: Path, candles: Iterable[Candles]) -> int:
    """Write candles in parts, and return how many. A name that ends in .gz is compressed."""
    count = 0
    with _open_text(path, "wt") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for part in candles:
            writer.writerows(texts_of(part))
            count += len(part)
    return count


def texts_of(candles: Candles) -> Iterator[tuple[str, ...]]:
    """Yield each candle as it is written: the time in UTC, prices and volume without exponent."""
    tick, lot = candles.scale
    with localcontext(_WIDE):
        for at, *prices, volume in zip(*candles.columns, strict=True):
            moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            yield moment, *(plain(price * tick) for price in prices), plain(volume * lot)


def _open_text(path: Path, mode: str) -> IO[str]:
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, mode, encoding="utf-8", newline=""))
    return path.open(mode, encoding="utf-8", newline="")
