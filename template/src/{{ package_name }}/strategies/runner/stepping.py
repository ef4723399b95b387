"""A step: one event, decided and done in one transaction, or not at all.

The row of the instance is locked, and only for who has its lease: its token is in the condition.
So of two processes that believe to have the lease only one can commit, and after a crash the next
one goes on where the last commit was.
"""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import ValidationError
from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.memo import Memo
from ...core.database.session import Database
from ...core.database.transactions import after_commit, transactional
from ...market.candles import Candle, Timeframe
from ...market.instruments import KNOWN_SECONDS, Instrument, get_instrument
from ...market.money import exact, multiply
from ...trading.account_books import EVERYONE, AccountBooks
from ...trading.orders.placing import Terms
from ...trading.risk.state import TradingState, TradingStateRow, state_in_force
from ..checking import faults_of, in_words
from ..finding import find_kinds
from ..strategy import (
    CandleClosed,
    Config,
    Event,
    Fill,
    Intent,
    Market,
    PriceReached,
    Strategy,
    TimeReached,
)
from . import feed, metrics
from .acting import Acting, set_status
from .candles import shortest
from .counting import book_fill, worth_at
from .model import Desired, Instance, Status
from .settings import RunnerSettings
from .stopping import go_on_stopping
from .telling import Telling
from .thinking import StrategyError, think

_SHARED_SECONDS: Final = 1.0
NextCandle = Callable[[AsyncSession, Instrument, Timeframe, datetime], Awaitable[Candle | None]]
"""Returns the first closed candle that has opened after a time, None if there is none yet."""


class Step(StrEnum):
    """Outcomes of a look for an event: one was `made` and more may follow, it was the `last` that
    there is now, or there was `none`."""

    MADE = "made"
    LAST = "last"
    NONE = "none"


class LeaseLostError(Exception):
    """Somebody else runs the instance now, or nobody."""


class Lease(NamedTuple):
    """A right to run an instance."""

    account_id: UUID
    id: UUID
    token: int


class Fees(NamedTuple):
    """The shares of a fill that the exchange keeps."""

    maker: Decimal
    taker: Decimal


class Stepper:
    """Makes the steps of instances."""

    def __init__(
        self,
        database: Database,
        settings: RunnerSettings,
        fees: Fees,
        next_candle: NextCandle,
        telling: Telling,
        kinds: dict[str, Strategy[Any, Any]] | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._fees = fees
        self._next_candle = next_candle
        self._telling = telling
        self._kinds = find_kinds() if kinds is None else kinds
        # Of their own, for they are read within steps; those write neither of both.
        self._instruments, self._candles = Memo(), Memo()

    async def step(self, lease: Lease, terms: Terms, bid: Decimal | None = None) -> Step:
        """Have the instance decide on its next event, and return whether there was one.

        `bid` is the price that it could sell at now, if that is known. Raises LeaseLostError, or
        StrategyError, with nothing done.
        """
        async with self._database.sessions() as session, transactional(session):
            instance, now, last_seq, *_ = found = await locked(session, lease)
            acting = Acting(session, instance, terms, self._telling, self._settings.kept_notes)
            instrument = await self._instrument(session, instance.symbol)
            if instance.status is Status.STOPPING:
                await go_on_stopping(session, instance, instrument, acting, now, last_seq)
                await acting.finish()
                return Step.LAST
            if instance.status is Status.STARTING or instance.state is None:
                await self._start(session, instance, instrument, now, last_seq, terms)
            event = await self._next_event(session, found, instrument, bid)
            if event is None:
                return Step.NONE
            await self._decide(session, instance, instrument, acting, now, event)
            # What comes of its orders wakes it.
            is_newest = isinstance(event, CandleClosed) and _is_young(event.candle, now)
            return Step.LAST if is_newest else Step.MADE

    async def _decide(
        self,
        session: AsyncSession,
        instance: Instance,
        instrument: Instrument,
        acting: Acting,
        now: datetime,
        event: Event,
    ) -> None:
        strategy, config = self._kind_of(instance), self.config_of(instance, instrument)
        if isinstance(event, CandleClosed):
            acting.candle = event.candle.opened_at
            acting.is_silent = _is_of_before(event.candle, instance)
        state, intents, watch, wake_at = await think(
            self._settings.step_timeout, lambda: _thought(strategy, config, instance.state, event)
        )
        instance.state = state
        instance.state_version += 1
        _set_watch(instance, watch, _time_of(event))
        instance.wake_at = None if wake_at is None else datetime.fromtimestamp(wake_at, UTC)
        await acting.do(intents)
        worth = None
        if isinstance(event, CandleClosed) and not acting.is_silent:
            worth = worth_at(instance, event.candle)
            _count_lag(session, now.timestamp() - event.candle.close_time)
        await acting.finish(worth)
        step = metrics.STEPS.labels(instance.kind, type(event).__name__)
        after_commit(session, step.inc)

    # --- The strategy ----------------------------------------------------------------------------

    def _kind_of(self, instance: Instance) -> Strategy[Any, Any]:
        strategy = self._kinds.get(instance.kind)
        if strategy is None:
            raise StrategyError(f"this service has no strategy {instance.kind!r}")
        return strategy

    def config_of(self, instance: Instance, instrument: Instrument) -> Config[Any]:
        """Return what its strategy knows beside its state."""
        strategy = self._kind_of(instance)
        try:
            params = strategy.params_type.model_validate(instance.params)
        except ValidationError as error:
            faults = in_words(faults_of(error, strategy))
            raise StrategyError(f"its settings are no longer valid: {faults}") from error
        seconds = instance.timeframe.seconds
        market = market_of(instrument, self._fees)
        return Config(params, market, seconds, instance.params_version)

    async def _start(
        self,
        session: AsyncSession,
        instance: Instance,
        instrument: Instrument,
        now: datetime,
        last_seq: int,
        terms: Terms,
    ) -> None:
        """Begin from nothing, or go on where it was stopped."""
        if instance.state is None:
            strategy, config = self._kind_of(instance), self.config_of(instance, instrument)
            instance.state = await think(
                self._settings.step_timeout, lambda: strategy.dump(strategy.begin(config))
            )
            instance.run += 1
            instance.started_at = now
            instance.cursor_event = last_seq
            newest = _newest(now, instance.timeframe)
            seen = strategy.warm_up(config.params) + 1
            instance.cursor_candle = newest - seen * timedelta(seconds=instance.timeframe.seconds)
            instance.capital = instance.cash = await self._capital(strategy, config, terms)
            instance.base = Decimal(0)
            instance.watch_price = instance.watch_since = instance.wake_at = None
        status = Status.PAUSED if instance.desired is Desired.PAUSED else Status.RUNNING
        await set_status(session, instance, status, instance.status_reason, "service")

    async def _capital(
        self, strategy: Strategy[Any, Any], config: Config[Any], terms: Terms
    ) -> Decimal:
        """Return the funds that it needs, in quote units; 0 where there is no price to plan by."""
        last = terms.last
        if last is None:
            return Decimal(0)
        plan = await think(self._settings.step_timeout, lambda: strategy.plan(config, last.price))
        with exact():
            return plan.quote_needed + multiply(plan.base_needed, last.price)

    # --- Its next event --------------------------------------------------------------------------

    async def _next_event(
        self,
        session: AsyncSession,
        found: "Locked",
        instrument: Instrument,
        bid: Decimal | None,
    ) -> Event | None:
        """Return what it is to be told now, and move its cursors past it."""
        instance, now, last_seq, available, is_trading = found
        assert instance.cursor_candle is not None
        told = None
        if last_seq > instance.cursor_event:
            told = await feed.next_told(session, instance, instrument.base_currency)
        candle = None
        if now >= close_after(instance.cursor_candle, instance.timeframe):
            candle = await self._candle(session, instrument, instance)
        if told is not None and (candle is None or told.at <= candle.closed_at):
            instance.cursor_event = told.seq
            if isinstance(told.event, Fill):
                await book_fill(session, instance, told.event, told.client_order_id)
            return told.event
        if told is None:
            instance.cursor_event = max(last_seq, instance.cursor_event)
        if candle is not None:
            if _has_reached(instance, candle):
                instance.watch_since = candle.closed_at
                assert instance.watch_price is not None
                return PriceReached(instance.watch_price, available, candle.close_time)
            instance.cursor_candle = candle.opened_at
            why_not = await _why_not_open(session, instance, candle, now, is_trading=is_trading)
            return CandleClosed(candle, available, not why_not, why_not)
        at = int(now.timestamp())
        if bid is not None and instance.watch_price is not None and bid <= instance.watch_price:
            return PriceReached(bid, available, at)
        if instance.wake_at is not None and instance.wake_at <= now:
            return TimeReached(available, at)
        return None

    async def _candle(
        self, session: AsyncSession, instrument: Instrument, instance: Instance
    ) -> Candle | None:
        """Return its next candle. Others wait for the same one: it is read once."""
        after = instance.cursor_candle
        assert after is not None
        return await self._candles.read(
            (instance.symbol, instance.timeframe, after),
            _SHARED_SECONDS,
            lambda: self._next_candle(session, instrument, instance.timeframe, after),
        )

    async def _instrument(self, session: AsyncSession, symbol: str) -> Instrument:
        found = await self._instruments.read(
            symbol, KNOWN_SECONDS, lambda: get_instrument(session, symbol)
        )
        assert found is not None
        return found


class Locked(NamedTuple):
    """An instance that is locked, the database's time, and the account's last event.

    All events until then can be read, and `available` is what it may sell after them.
    `is_trading`: neither it nor everybody is told to trade less, or not at all.
    """

    instance: Instance
    now: datetime
    last_seq: int
    available: Decimal
    is_trading: bool


_LOCKED = (
    select(
        *(Instance, func.clock_timestamp(), AccountBooks.last_seq, feed.AVAILABLE),
        ~exists().where(
            TradingStateRow.account_id.in_([Instance.account_id, EVERYONE]),
            TradingStateRow.state != TradingState.ACTIVE,
        ),
    )
    .join(AccountBooks, AccountBooks.account_id == Instance.account_id)
    .where(
        Instance.account_id == bindparam("account_id"),
        Instance.id == bindparam("id"),
        Instance.lease_token == bindparam("token"),
    )
    .with_for_update(of=Instance)
)


async def locked(session: AsyncSession, lease: Lease) -> Locked:
    """Lock the instance and return it. Raises LeaseLostError unless the lease is the newest."""
    rows = await session.execute(
        _LOCKED, lease._asdict(), execution_options={"populate_existing": True}
    )
    row = rows.one_or_none()
    if row is None or not row[0].is_active:
        raise LeaseLostError
    return Locked(*row)


def market_of(instrument: Instrument, fees: Fees) -> Market:
    """Return the instrument as strategies know it."""
    return Market(
        instrument.symbol,
        instrument.base_currency,
        instrument.quote_currency,
        shortest(instrument.price_increment),
        shortest(instrument.size_increment),
        shortest(instrument.min_notional),
        *fees,
    )


def _thought(
    strategy: Strategy[Any, Any], config: Config[Any], stored: dict[str, Any] | None, event: Event
) -> tuple[dict[str, Any], list[Intent], Decimal | None, int | None]:
    assert stored is not None
    state, intents = strategy.step(strategy.load(stored), event, config)
    return strategy.dump(state), list(intents), strategy.watch(state), strategy.wake_at(state)


async def _why_not_open(
    session: AsyncSession, instance: Instance, candle: Candle, now: datetime, *, is_trading: bool
) -> str:
    """Return why no position may be opened at this candle; "" where one may."""
    if not _is_young(candle, now):
        age = now.timestamp() - candle.close_time
        return f"the candle is stale: it has ended {age:.0f} s ago"
    if instance.desired is Desired.PAUSED:
        return "the strategy is paused"
    if is_trading:
        return ""
    in_force = await state_in_force(session, instance.account_id)
    if in_force.state is not TradingState.ACTIVE:
        return f"trading is {in_force.state.value}: {in_force.reason}"
    return ""


def _count_lag(session: AsyncSession, seconds: float) -> None:
    """Count the time from the candle's close until the commit. `seconds` are over by now."""
    begin = time.monotonic()
    after_commit(session, lambda: metrics.LAG.observe(seconds + time.monotonic() - begin))


def _is_young(candle: Candle, now: datetime) -> bool:
    """Tell whether it is younger than one timeframe, and so the newest."""
    return now.timestamp() - candle.close_time < candle.close_time - candle.open_time


def _has_reached(instance: Instance, candle: Candle) -> bool:
    """Tell whether the price that it watched all the time was reached within the candle.

    So it is told also of what nobody has seen: a second between two looks, or an hour without a
    service.
    """
    price, since = instance.watch_price, instance.watch_since
    if price is None or since is None or since > candle.opened_at:
        return False
    return multiply(Decimal(candle.low), candle.scale.tick) <= price


def _set_watch(instance: Instance, price: Decimal | None, at: datetime) -> None:
    if price != instance.watch_price:
        instance.watch_price = price
        instance.watch_since = None if price is None else at


def _time_of(event: Event) -> datetime:
    if isinstance(event, CandleClosed):
        return event.candle.closed_at
    return datetime.fromtimestamp(event.at, UTC)


def _is_of_before(candle: Candle, instance: Instance) -> bool:
    """Tell whether it is there to warm up only: a newer one had ended before the beginning."""
    assert instance.started_at is not None
    return candle.close_time + instance.timeframe.seconds <= instance.started_at.timestamp()


def _newest(now: datetime, timeframe: Timeframe) -> datetime:
    """Return when the newest candle that has ended has opened."""
    seconds = timeframe.seconds
    return datetime.fromtimestamp(int(now.timestamp()) // seconds * seconds - seconds, UTC)


def close_after(opened: datetime, timeframe: Timeframe) -> datetime:
    """Return when the candle after that one ends."""
    return opened + 2 * timedelta(seconds=timeframe.seconds)
