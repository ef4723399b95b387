"""Candles of the seeded price, for any time: what an exchange would have kept of it.

A candle is of the price between bid and ask, and exact: no tick of its time is above its high or
below its low. The price is a sum of waves that are straight between two points of the quickest, so
that most ticks need not be computed.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

from .prices import FASTEST, SeededPrice, draw, points

_FEWEST_LOTS: Final = 100_000  # a minute
_MOST_LOTS: Final = 1_000_000
_MINUTE: Final = 60
_AT_ONCE: Final = 40_000  # seconds


class SeededCandle(NamedTuple):
    """A candle in steps of the price increment and in lots; `open_time` in seconds since 1970."""

    open_time: int
    open: int
    high: int
    low: int
    close: int
    lots: int


def seeded_candles(
    price: SeededPrice, tick_ms: int, seconds: int, start: int, end: int
) -> Iterator[SeededCandle]:
    """Yield the candles that open from `start` on and before `end`, each of so many seconds."""
    for begin in range(start, end, seconds * max(1, _AT_ONCE // seconds)):
        stop = min(end, begin + seconds * max(1, _AT_ONCE // seconds))
        offset = begin * 1000 // tick_ms // FASTEST
        at_points = _at_points(price, range(offset, stop * 1000 // tick_ms // FASTEST + 2))
        for open_time in range(begin, stop, seconds):
            first = open_time * 1000 // tick_ms
            last = -(-(open_time + seconds) * 1000 // tick_ms) - 1
            prices = _prices(price, first, last, at_points, offset)
            yield SeededCandle(open_time, *prices, _lots(price, open_time, seconds))


def _lots(price: SeededPrice, open_time: int, seconds: int) -> int:
    minutes = range(open_time // _MINUTE, (open_time + seconds) // _MINUTE)
    drawn = (draw(price.seed, price.symbol, "volume", minute) for minute in minutes)
    return sum(_FEWEST_LOTS + number % (_MOST_LOTS - _FEWEST_LOTS + 1) for number in drawn)


def _prices(
    price: SeededPrice, first: int, last: int, at_points: list[int], offset: int
) -> tuple[int, int, int, int]:
    """Return the first, the highest, the lowest and the last price of these ticks.

    `at_points` are the prices at the points of the quickest wave, from number `offset` on.
    """
    inner = range(first // FASTEST + 1, -(-last // FASTEST))  # those between first and last
    number, after = divmod(first, FASTEST)
    opening = price.middle(first) if after else at_points[number - offset]
    values = at_points[inner.start - offset : inner.stop - offset]
    values = [opening, *values, price.middle(last)]
    high, low = max(values), min(values)
    # Rounding moves each wave by one at most: between two points the price is not further than
    # that from the line that connects them.
    off = len(price.heights) + 1
    highest, lowest = high - off, low + off
    for place, value in enumerate(values):
        if lowest <= value <= highest:
            continue
        for before in (place - 1, place):
            if not 0 <= before < len(values) - 1:
                continue
            start = first if before == 0 else (inner.start + before - 1) * FASTEST
            stop = last if before == len(values) - 2 else (inner.start + before) * FASTEST
            rise = values[before + 1] - values[before]
            for tick in range(start + 1, stop):
                line = values[before] + rise * (tick - start) // (stop - start)
                if line + off >= high or line - off < low:
                    exact = price.middle(tick)
                    high, low = max(high, exact), min(low, exact)
    return values[0], high, low, values[-1]


def _at_points(price: SeededPrice, numbers: range) -> list[int]:
    """Return the price at the points of the quickest wave with these numbers."""
    waves: list[list[int]] = []
    for wave, height in enumerate(price.heights):
        whole, length = 1 << wave, FASTEST << wave
        first = numbers.start >> wave
        needed = range(first, (numbers.stop - 1 >> wave) + 2)
        drawn = points(price.seed, price.symbol, wave, needed)
        begin = numbers.start - (first << wave)
        end = begin + len(numbers)
        values: list[int] = []
        for place, (before, after) in enumerate(pairwise(drawn)):
            rise = (after - before) * FASTEST
            inside = range(max(0, begin - place * whole), min(whole, end - place * whole))
            values += [(height * (before + rise * at // length)) >> 31 for at in inside]
        waves.append(values)
    return [price.anchor + sum(heights) for heights in zip(*waves, strict=True)]
