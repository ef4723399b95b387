"""The replayed price: stored candles, which happen again from a time on that somebody has chosen.

Each candle is four ticks: its open, the nearer of its extremes, the farther one, its close. What
is not stored, or before the beginning, offers nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ...market.candles import Candle, Candles, Timeframe
from ...market.money import exact
from ..client import NoCandlesError, VenueCandle
from .matching import Ladder, Level, Rules
from .prices import draw, half_spread
from .sources import Best

TICKS: Final = 4
"""Ticks of a candle."""

_SHARE: Final = 10  # of a candle's volume, one part is offered on each side while it lasts
_AHEAD: Final = 500  # candles

Read = Callable[[str, Timeframe, int, int], Awaitable[Candles]]
"""Reads the stored candles of a symbol that open from one time on and before another."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Candles that are replayed, and their time: at `begin` happens what happened at `start`.

    Nothing that was stored for a time after `begin` is: it may be a candle of the replay itself.
    """

    timeframe: Timeframe
    start: datetime
    begin: datetime
    speed: int = 1

    def then(self, now: datetime) -> timedelta:
        """Return how long after 1970 that was which happens now."""
        return self.start - _EPOCH + (now - self.begin) * self.speed


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Replayed:
    """A market that has been there before: a price source."""

    is_prepared = False

    def __init__(self, plan: Plan, read: Read) -> None:
        whence = plan.start.timestamp(), plan.begin.timestamp()
        self.name = f"replay/{plan.timeframe}/{draw(*whence, plan.speed)}"
        self._plan = plan
        self._read = read
        self._tick = plan.timeframe.length / TICKS
        self._known: dict[str, _Known] = {}

    def tick_at(self, now: datetime) -> int:
        return self._plan.then(now) // self._tick

    def time_of(self, tick: int) -> datetime:
        after = tick * self._tick - (self._plan.start - _EPOCH)
        return self._plan.begin + after / self._plan.speed

    async def prepare(self, rules: Rules, first: int, last: int) -> None:
        """Read the candles of these ticks, before they are asked for."""
        begin = max(self._open_time(first), int(self._plan.start.timestamp()))
        end = self._open_time(last)
        known = self._known.get(rules.symbol)
        if known and known.begin <= begin and end < known.end:
            return
        seconds = self._plan.timeframe.seconds
        stop = min(end + _AHEAD * seconds, int(self._plan.begin.timestamp()))
        candles = await self._read(rules.symbol, self._plan.timeframe, begin, stop)
        newest = candles.open_time[-1] + seconds if candles else begin
        self._known[rules.symbol] = _Known(
            begin, newest, {candle.open_time: candle for candle in candles}
        )

    def best(self, rules: Rules, ticks: Sequence[int]) -> list[Best]:
        return [
            tuple(side[0].price if side else None for side in (ladder.bids, ladder.asks))  # type: ignore[misc]
            for ladder in (self.ladder(rules, tick) for tick in ticks)
        ]

    def ladder(self, rules: Rules, tick: int) -> Ladder:
        known = self._known.get(rules.symbol)
        candle = known.candles.get(self._open_time(tick)) if known else None
        lots = candle.volume // _SHARE // TICKS if candle else 0
        if candle is None or lots == 0:
            return Ladder()
        price, half = path(candle)[tick % TICKS], half_spread(candle.open)
        with exact():
            size = lots * rules.size_increment
            bid, ask = (steps * rules.price_increment for steps in (price - half, price + half))
        return Ladder([Level(bid, size)] if bid > 0 else [], [Level(ask, size)])

    def _open_time(self, tick: int) -> int:
        return tick // TICKS * self._plan.timeframe.seconds

    async def candles(
        self, rules: Rules, timeframe: Timeframe, start: int, end: int
    ) -> list[VenueCandle]:
        """Return what was replayed, at the times at which it was."""
        plan = self._plan
        shift = plan.begin - plan.start
        if timeframe is not plan.timeframe or plan.speed != 1 or shift % timeframe.length:
            raise NoCandlesError(
                f"the paper venue replays candles of {plan.timeframe} (PAPER_PRICES=replay): it has"
                f" none of {timeframe}, and has any only at PAPER_REPLAY_SPEED=1, where"
                " PAPER_REPLAY_BEGIN is whole candles after PAPER_REPLAY_FROM"
            )
        seconds = int(shift.total_seconds())
        first = max(start, int(plan.begin.timestamp())) - seconds
        stop = min(end - seconds, int(plan.begin.timestamp()))
        if stop <= first:
            return []
        found = await self._read(rules.symbol, timeframe, first, stop)
        tick, lot = found.scale
        with exact():
            return [
                VenueCandle(
                    candle.opened_at + shift,
                    candle.open * tick,
                    candle.high * tick,
                    candle.low * tick,
                    candle.close * tick,
                    candle.volume * lot,
                )
                for candle in found
            ]


@dataclass(frozen=True, slots=True)
class _Known:
    """Candles that were read, by their open time; those that open before `end` are all there."""

    begin: int
    end: int
    candles: dict[int, Candle]


def path(candle: Candle) -> tuple[int, int, int, int]:
    """Return the prices of a candle in their order: open, nearer extreme, farther one, close.

    Of two that are as near the low comes first.
    """
    low_first = candle.open - candle.low <= candle.high - candle.open
    extremes = (candle.low, candle.high) if low_first else (candle.high, candle.low)
    return candle.open, *extremes, candle.close
