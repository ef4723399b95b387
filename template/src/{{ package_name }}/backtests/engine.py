"""The engine: candles in, decisions and fills out. Rules C1 to C8 of docs/backtests.md.

Every candle is compared, as whole numbers, with what waits; where nothing can happen, nothing is
done but to tell the strategy that it has closed.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from ..exchanges.paper.matching import Fill as BookFill
from ..market.candles import Candle, Candles
from ..market.words import Side
from ..strategies.strategy import (
    Cancel,
    CandleClosed,
    CloseReason,
    Config,
    Event,
    Fill,
    Note,
    OrderClosed,
    OrderKey,
    Pause,
    Place,
    PriceReached,
    Strategy,
    TimeReached,
)
from .terms import Decision, Holding, Run, Terms, Trade
from .venue import NEVER_LOW, REQUESTED, NotTaken, Venue, Working

_STRETCH: Final = 4096
"""After so many candles the caller hears of the progress."""

_Step = Place | Cancel | Working | None
_DROPPED: Final = None


def run_backtest(
    candles: Candles,
    strategy: Strategy[Any, Any],
    config: Config[Any],
    terms: Terms,
    on_progress: Callable[[int], None] | None = None,
) -> Run:
    """Have the strategy trade on the candles, and return what has happened.

    The same arguments have the same result, in any process. `on_progress` is told the number of
    candles that are done; what it raises ends the backtest.
    """
    return _Backtest(candles, strategy, config, terms).run(on_progress or _ignore)


def _ignore(_done: int) -> None:
    pass


class _Backtest:
    """One run. `_queue` is what takes effect at the next open."""

    def __init__(
        self, candles: Candles, strategy: Strategy[Any, Any], config: Config[Any], terms: Terms
    ) -> None:
        self.candles = candles
        self.strategy = strategy
        self.config = config
        self.venue = Venue(config.market, candles.scale, terms)
        self.state = strategy.begin(config)
        self._spread_ppm = terms.spread_ppm
        self._queue: list[_Step] = []
        self._watch = NEVER_LOW
        self._watched: Decimal | None = None
        self._wake: int | None = None
        self._number = -1
        self._trades: list[Trade] = []
        self._decisions: list[Decision] = []
        self._holdings = [Holding(-1, terms.cash, terms.base)]
        self._notes: Counter[str] = Counter()
        self._closed: Counter[str] = Counter()
        self._paused = ""

    def run(self, on_progress: Callable[[int], None]) -> Run:
        candles, venue, decide = self.candles, self.venue, self._decide
        seconds, scale, ppm = candles.timeframe_seconds, candles.scale, self._spread_ppm
        rows = zip(*candles.columns, strict=True)
        for number, (at, opened, high, low, close, volume) in enumerate(rows):
            half = opened * ppm // 2_000_000 or 1
            if (
                self._queue
                or low <= venue.best_buy - half
                or high >= venue.best_sell + half
                or low <= self._watch
            ):
                self._number = number
                self._trade_in(at, opened, high, low, close, volume, half)
            self._number = number
            candle = Candle(at, at + seconds, opened, high, low, close, volume, scale)
            if self._wake is not None and candle.close_time >= self._wake:
                late = TimeReached(self._holdings[-1].base, candle.close_time)
                decide(late, candle.close_time, self._queue)
            why_not = self._paused
            event = CandleClosed(candle, self._holdings[-1].base, not why_not, why_not)
            decide(event, candle.close_time, self._queue)
            if not number % _STRETCH:
                on_progress(number)
        on_progress(len(candles))
        return Run(
            self._trades,
            self._holdings,
            self._decisions,
            dict(self._notes),
            dict(self._closed),
            self.strategy.status(self.state),
            self._paused,
        )

    # --- A candle --------------------------------------------------------------------------------

    def _trade_in(
        self, at: int, opened: int, high: int, low: int, close: int, volume: int, half: int
    ) -> None:
        """Have the candle's prices meet the orders: its open, then its legs (C2 to C4)."""
        venue, quarter = self.venue, self.candles.timeframe_seconds // 4
        self._half = half
        self._told: Decimal | None = None
        venue.begin_candle(volume)
        steps, self._queue = self._queue, []
        self._carry_out(steps, opened, at)
        while venue.liquidity and venue.best_buy >= opened + half:
            self._tell(venue.fill_buys(opened + half), at)
        while venue.liquidity and venue.best_sell <= opened - half:
            self._tell(venue.fill_sells(opened - half), at)
        self._check_watch(opened, at)
        is_low_first = opened - low <= high - opened
        first, second = (low, high) if is_low_first else (high, low)
        here = opened
        for leg, there in enumerate((first, second, close), 1):
            walk = self._fall if there < here else self._rise
            walk(here, there, at + leg * quarter)
            here = there
        quote, base = venue.quote, venue.base
        _, quote_before, base_before = self._holdings[-1]
        if base != base_before or quote != quote_before:
            self._holdings.append(Holding(self._number, quote, base))

    def _fall(self, here: int, there: int, at: int) -> None:
        """Walk down: buys are filled on the way, and the watched price may be reached."""
        venue, half = self.venue, self._half
        while True:
            buy = venue.best_buy - half if venue.liquidity else NEVER_LOW
            watch = self._watch if self._watched != self._told else NEVER_LOW
            if max(buy, watch) < there:
                return
            if buy >= watch:
                here = min(here, buy)
                self._tell(venue.fill_buys(here + half), at)
            else:
                here = min(here, watch)
            self._check_watch(here, at)

    def _rise(self, here: int, there: int, at: int) -> None:
        """Walk up: sells are filled on the way. A fill may put the watched price above us."""
        venue, half = self.venue, self._half
        while venue.liquidity and (sell := venue.best_sell + half) <= there:
            here = max(here, sell)
            self._tell(venue.fill_sells(here - half), at)
            self._check_watch(here, at)

    def _check_watch(self, here: int, at: int) -> None:
        """Tell the strategy that the watched price is reached; what it does, it does now (C5)."""
        if here > self._watch or self._watched == self._told:
            return
        self._told = self._watched
        bid = self.venue.price(here - self._half)
        steps: list[_Step] = []
        self._decide(PriceReached(bid, self.venue.base, at), at, steps)
        self._carry_out(steps, here, at)

    # --- The strategy and its orders -------------------------------------------------------------

    def _decide(self, event: Event, at: int, steps: list[_Step]) -> None:
        """Tell the strategy what has happened, and add what it wants to the steps."""
        self.state, intents = self.strategy.step(self.state, event, self.config)
        for intent in intents:
            if isinstance(intent, Note):
                self._notes[intent.kind] += 1
            elif isinstance(intent, Pause):
                self._paused = intent.reason
            else:
                steps.append(intent)
                if isinstance(intent, Place):
                    self._decisions.append(_decision(self._number, at, intent))
        watched = self.strategy.watch(self.state)
        if watched is not self._watched:
            self._watched = watched
            tick = self.candles.scale.tick
            self._watch = NEVER_LOW if watched is None else int(watched // tick)
        self._wake = self.strategy.wake_at(self.state)

    def _carry_out(self, steps: list[_Step], mid: int, at: int) -> None:
        """Cancel, then place (C2); what a cancellation leads to is carried out at once as well."""
        while steps:
            further: list[_Step] = []
            for step in steps:
                if isinstance(step, Cancel):
                    self._cancel(step.key, steps, at, further)
            for step in steps:
                if isinstance(step, Place):
                    self._send(Working(step), mid, at)
                elif isinstance(step, Working):
                    self._send(step, mid, at)
            steps = further

    def _cancel(self, key: OrderKey, steps: list[_Step], at: int, further: list[_Step]) -> None:
        """Cancel an order; drop it where it was not sent. One that has ended was told before."""
        venue = self.venue
        filled = Decimal(0)
        unsent = next(
            (
                (waiting, step)
                for waiting in (steps, self._queue)
                for step in waiting
                if isinstance(step, Place) and step.key == key
            ),
            None,
        )
        if unsent:
            waiting, step = unsent
            waiting[waiting.index(step)] = _DROPPED
        elif working := venue.find(key):
            filled = working.filled
            venue.cancel(working)
            for waiting in (steps, self._queue):
                if working in waiting:
                    waiting[waiting.index(working)] = _DROPPED
        else:
            return
        closed = OrderClosed(key, CloseReason.CANCELED, REQUESTED, filled, at, was_asked=True)
        self._decide(closed, at, further)

    def _send(self, working: Working, mid: int, at: int) -> None:
        try:
            fills = self.venue.send(working, mid - self._half, mid + self._half)
        except NotTaken as refused:
            self._closed[refused.code] += 1
            key = working.place.key
            closed = OrderClosed(key, refused.reason, refused.code, working.filled, at)
            self._decide(closed, at, self._queue)
            return
        self._tell(fills, at)
        if working.left and working.place.price is None:
            self._queue.append(working)  # the rest comes at the next open (C7)

    def _tell(self, fills: Sequence[BookFill], at: int) -> None:
        """Tell the strategy of fills; what it wants then takes effect at the next open (C6)."""
        for fill in fills:
            working = self.venue.owner(fill)
            place = working.place
            is_base = place.side is Side.BUY
            trade = Trade(
                self._number,
                at,
                place.role,
                place.side,
                fill.qty,
                fill.price,
                fill.fee,
                is_base,
                fill.liquidity,
            )
            self._trades.append(trade)
            event = Fill(
                place.key,
                place.side,
                fill.qty,
                fill.price,
                fill.fee,
                is_base,
                fill.liquidity,
                at,
                not working.left,
            )
            self._decide(event, at, self._queue)


def _decision(number: int, at: int, place: Place) -> Decision:
    return Decision(number, at, place.role, place.side, place.type, place.qty, place.price)
