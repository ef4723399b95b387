"""The sources of prices: which tick it is, and what the market offers then.

What they say follows from the settings and the tick alone, so that no replica has to ask another.
"""

from asyncio import to_thread
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol

from ...market.candles import Timeframe
from ...market.money import exact
from ..client import VenueCandle
from .candles import seeded_candles
from .matching import Ladder, Level, Rules
from .prices import SeededPrice, draw

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SECONDS_AT_ONCE: Final = 86_400  # a day of candles is computed between two looks at the rest
_ANCHOR: Final = 100_000  # price increments
_LOWEST_ANCHOR: Final = 100  # so that no level is at 0 or below

Best = tuple[Decimal | None, Decimal | None]
"""Best bid and best ask; a side without offers is None."""


class PriceSource(Protocol):
    """A market that moves from tick to tick by itself."""

    name: str
    """Of what counts its ticks; the ticks of two names have nothing to do with each other."""
    is_prepared: bool
    """It needs no `prepare`."""

    def tick_at(self, now: datetime) -> int:
        """Return the number of the tick that `now` is in."""

    def time_of(self, tick: int) -> datetime:
        """Return when the tick began."""

    async def prepare(self, rules: Rules, first: int, last: int) -> None:
        """Read what is needed to tell of these ticks. Not in a transaction."""

    def best(self, rules: Rules, ticks: Sequence[int]) -> list[Best]:
        """Return the best prices at each of the ticks."""

    def ladder(self, rules: Rules, tick: int) -> Ladder:
        """Return all that the market offers at the tick."""

    async def candles(
        self, rules: Rules, timeframe: Timeframe, start: int, end: int
    ) -> list[VenueCandle]:
        """Return the candles that open from `start` on and before `end`, seconds since 1970.

        Raises NoCandlesError.
        """


class Seeded:
    """A market that is computed from a seed."""

    is_prepared = True

    def __init__(self, seed: str, tick_ms: int, anchors: dict[str, Decimal]) -> None:
        """Have a symbol's price move around its anchor, in quote units."""
        self.name = f"seeded/{tick_ms}/{draw(seed, sorted(anchors.items()))}"
        self._seed = seed
        self._tick_ms = tick_ms
        self._tick = tick_ms * _MILLISECOND
        self._anchors = anchors

    def tick_at(self, now: datetime) -> int:
        return (now - _EPOCH) // self._tick

    def time_of(self, tick: int) -> datetime:
        return _EPOCH + tick * self._tick

    async def prepare(self, rules: Rules, first: int, last: int) -> None:
        pass

    def best(self, rules: Rules, ticks: Sequence[int]) -> list[Best]:
        price = self._price(rules)
        increment = rules.price_increment
        with exact():
            return [
                (bid * increment, ask * increment) for bid, ask in (price.best(k) for k in ticks)
            ]

    def ladder(self, rules: Rules, tick: int) -> Ladder:
        price = self._price(rules)
        with exact():
            bids, asks = (
                [
                    Level(steps * rules.price_increment, lots * rules.size_increment)
                    for steps, lots in price.levels(side, tick)
                ]
                for side in ("bid", "ask")
            )
        return Ladder(bids, asks)

    async def candles(
        self, rules: Rules, timeframe: Timeframe, start: int, end: int
    ) -> list[VenueCandle]:
        found: list[VenueCandle] = []
        step = max(_SECONDS_AT_ONCE, timeframe.seconds)
        for begin in range(start, end, step):
            found += await to_thread(self._candles, rules, timeframe, begin, min(begin + step, end))
        return found

    def _candles(
        self, rules: Rules, timeframe: Timeframe, start: int, end: int
    ) -> list[VenueCandle]:
        price = self._price(rules)
        tick, lot = rules.price_increment, rules.size_increment
        candles = seeded_candles(price, self._tick_ms, timeframe.seconds, start, end)
        with exact():
            return [
                VenueCandle(
                    datetime.fromtimestamp(candle.open_time, UTC),
                    candle.open * tick,
                    candle.high * tick,
                    candle.low * tick,
                    candle.close * tick,
                    candle.lots * lot,
                )
                for candle in candles
            ]

    def _price(self, rules: Rules) -> SeededPrice:
        anchor = self._anchors.get(rules.symbol)
        steps = int(anchor // rules.price_increment) if anchor is not None else _ANCHOR
        return SeededPrice(self._seed, rules.symbol, max(steps, _LOWEST_ANCHOR))
