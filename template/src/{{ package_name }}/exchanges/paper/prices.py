"""The seeded price: whole numbers that follow from seed, symbol and tick, and from nothing else.

So every replica sees the same market, and a restart goes on with it. The price is a sum of waves
whose points are drawn; it stays within 9 % of its anchor and comes back to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from math import isqrt
from typing import Final

LEVELS: Final = 5
"""Levels of each side."""

FASTEST: Final = 8
"""Ticks from one point of the quickest wave to the next; each other wave takes twice as many."""

_WAVES: Final = 15
_VOLATILITY_PPM: Final = 195
_SPREAD_PPM: Final = 100
_FEWEST_LOTS: Final = 5_000
_MOST_LOTS: Final = 50_000


def draw(*parts: object) -> int:
    """Return a number below 2**32 that follows from the parts, the same on every machine."""
    text = "|".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=4).digest(), "big")


@lru_cache(maxsize=65_536)
def point(seed: str, symbol: str, wave: int, number: int) -> int:
    """Return the height of a point of a wave, a number of 32 bits around 0."""
    return draw(seed, symbol, wave, number) - 2**31


def points(seed: str, symbol: str, wave: int, numbers: range) -> list[int]:
    """Return the heights of several points of a wave; it is quicker than one by one."""
    before = f"{seed}|{symbol}|{wave}|".encode()
    drawn = (blake2b(b"%b%d" % (before, number), digest_size=4).digest() for number in numbers)
    return [int.from_bytes(digest, "big") - 2**31 for digest in drawn]


@dataclass(frozen=True, slots=True)
class SeededPrice:
    """The price of a symbol, in steps of its price increment; sizes are in lots."""

    seed: str
    symbol: str
    anchor: int
    """The price that it moves around."""
    heights: tuple[int, ...] = field(init=False, repr=False)
    """Bound of how far each wave goes, the quickest first."""

    def __post_init__(self) -> None:
        lowest = self.anchor * _VOLATILITY_PPM // 1_000_000
        heights = tuple(isqrt(lowest * lowest << wave) for wave in range(_WAVES))
        object.__setattr__(self, "heights", heights)

    def middle(self, tick: int) -> int:
        """Return the price between bid and ask."""
        total = 0
        for wave, height in enumerate(self.heights):
            length = FASTEST << wave
            number, at = divmod(tick, length)
            before = point(self.seed, self.symbol, wave, number)
            after = point(self.seed, self.symbol, wave, number + 1)
            total += (height * (before + (after - before) * at // length)) >> 31
        return self.anchor + total

    def best(self, tick: int) -> tuple[int, int]:
        """Return the best bid and the best ask."""
        middle = self.middle(tick)
        half = half_spread(middle)
        return middle - half, middle + half

    def levels(self, side: str, tick: int) -> Iterator[tuple[int, int]]:
        """Yield price and lots of the levels of `bid` or `ask`, the best first."""
        middle = self.middle(tick)
        step = half_spread(middle) * (-1 if side == "bid" else 1)
        for level in range(LEVELS):
            drawn = draw(self.seed, self.symbol, "size", side, level, tick)
            lots = _FEWEST_LOTS + drawn % (_MOST_LOTS - _FEWEST_LOTS + 1)
            yield middle + step * (level + 1), lots


def half_spread(middle: int) -> int:
    """Return the distance from the middle to the best offers, in steps of the price increment."""
    return max(1, middle * _SPREAD_PPM // 2_000_000)
