"""The collector: candles that somebody wants are stored as they end, and where they were missed.

Every replica runs it: each looks into the store first, and what two of them store is the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.alerts.alerts import Alert, Alerts
from ...core.database.transactions import run_in_transaction
from ...core.errors import TradingException
from ...exchanges.client import ExchangeClient, VenueError
from ...market.candle_gaps import find_missing, note_gaps
from ...market.candle_store import newest_candles
from .fetching import fetch_candles
from .settings import CandleSettings, Feed

_COLLECT_SECONDS: Final = 0.5
"""Time between two looks at which feeds are wanted."""
_AFTER_CLOSE: Final = tuple(timedelta(seconds=seconds) for seconds in (1, 3, 10))
"""Times after the end of a candle at which it is asked for, beside the first one."""
_LATER: Final = timedelta(minutes=1)
_REFUSED: Final = timedelta(minutes=10)
_LOOKS: Final = 3
_PATIENCE: Final = timedelta(minutes=10)

Wanted = Callable[[], Awaitable[set[Feed]]]

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Missed:
    """A candle that the exchange did not have when it was asked."""

    since: datetime
    looks: int = 0


@dataclass(slots=True)
class _State:
    due: datetime
    missed: dict[datetime, _Missed] = field(default_factory=dict)
    trouble: str = ""


class Collector:
    """Stores the candles of CANDLES_FEEDS, and of what `wanted` asks for."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        exchange: ExchangeClient,
        settings: CandleSettings,
        alerts: Alerts | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        first_seconds: float = 1.0,
    ) -> None:
        """Ask for a candle `first_seconds` after its end, and again where it is not there yet."""
        self.wanted: list[Wanted] = []
        """Whoever wants candles adds what returns them; it is asked at each turn."""
        self.waiting: list[Callable[[], None]] = []
        """Whoever waits for candles adds what is called when some are stored."""
        self._sessions = sessions
        self._exchange = exchange
        self._settings = settings
        self._alerts = alerts
        self._clock = clock
        self._first = timedelta(seconds=first_seconds)
        self._states: dict[Feed, _State] = {}

    def why_none(self, feed: Feed) -> str:
        """Return why no candles come; "" where they do, as far as is known."""
        state = self._states.get(feed)
        return "" if state is None else state.trouble

    async def run(self) -> None:
        """Look once, and wait until a feed's turn comes, or others may be wanted."""
        await self.run_once()
        due = min((state.due for state in self._states.values()), default=None)
        wait = _COLLECT_SECONDS
        if due is not None:
            wait = min(wait, max(0.0, (due - self._clock()).total_seconds()))
        await asyncio.sleep(wait)

    async def run_once(self) -> None:
        """Look after the feeds whose turn it is."""
        feeds = set(self._settings.wanted)
        for wanted in self.wanted:
            feeds |= await wanted()
        for feed in self._states.keys() - feeds:
            del self._states[feed]
        for feed in sorted(feeds):
            now = self._clock()
            state = self._states.setdefault(feed, _State(now))
            if state.due <= now:
                await self._look(feed, state, now)

    async def _look(self, feed: Feed, state: _State, now: datetime) -> None:
        closed = feed.timeframe.begin(now)
        try:
            missing = await self._missing(feed, closed)
            if missing:
                missing = await self._fetch(feed, missing)
                for tell in self.waiting:
                    tell()
                await self._note(feed, state, missing, now)
        except VenueError as error:
            self._tell(feed, state, str(error))
            state.due = next_look(feed, now, self._first, is_whole=False)
        except TradingException as error:
            self._tell(feed, state, str(error))
            state.due = now + _REFUSED
        else:
            self._tell(feed, state, "")
            state.due = next_look(feed, now, self._first, is_whole=not missing)

    async def _missing(self, feed: Feed, closed: datetime) -> list[datetime]:
        """Return when the candles open that there should be by now."""
        start = closed - self._settings.backfill * feed.timeframe.length
        async with self._sessions() as session:
            newest = await newest_candles(session, *feed)
            if newest:
                start = min(start, newest[0].closed_at)
            return await find_missing(session, *feed, start, closed)

    async def _fetch(self, feed: Feed, missing: list[datetime]) -> list[datetime]:
        """Ask for candles, store them, and return those that have not come."""
        end = missing[-1] + feed.timeframe.length
        changed = 0
        async for part in fetch_candles(self._exchange, self._sessions, *feed, missing[0], end):
            changed += part.stored.changed
        if changed and self._alerts:
            self._alerts.fire(
                Alert(
                    f"candles:{feed.symbol}",
                    f"{changed} stored candles of {feed.symbol} were replaced",
                    {"timeframe": feed.timeframe.value, "count": changed},
                    lasts=False,
                )
            )
        async with self._sessions() as session:
            return await find_missing(session, *feed, missing[0], end)

    async def _note(
        self, feed: Feed, state: _State, missing: list[datetime], now: datetime
    ) -> None:
        """Count how often each was asked for; note of those that never come that there are none."""
        state.missed = {at: state.missed.get(at) or _Missed(now) for at in missing}
        given_up = []
        for at, missed in state.missed.items():
            missed.looks += 1
            if missed.looks >= _LOOKS and now - missed.since >= _PATIENCE:
                given_up.append(at)
        if given_up:
            await run_in_transaction(self._sessions, note_gaps, *feed, given_up)
            _log.warning(
                "candles missing at the exchange",
                symbol=feed.symbol,
                timeframe=feed.timeframe.value,
                count=len(given_up),
                first=given_up[0].isoformat(),
            )

    def _tell(self, feed: Feed, state: _State, trouble: str) -> None:
        if trouble and trouble != state.trouble:
            _log.warning(
                "no candles",
                symbol=feed.symbol,
                timeframe=feed.timeframe.value,
                reason=trouble,
            )
        state.trouble = trouble


def next_look(feed: Feed, now: datetime, first: timedelta, *, is_whole: bool) -> datetime:
    """Return when to look at the feed again: `first` after its next candle's end, or earlier."""
    closed = feed.timeframe.begin(now)
    following = closed + feed.timeframe.length + first
    if is_whole:
        return following
    for after in _AFTER_CLOSE:
        if closed + after > now:
            return closed + after
    return min(now + _LATER, following)
