"""A step: one event, decided and done in one transaction, or not at all.

The instance is locked, and only for who has its lease. So of two processes that believe to have it
only one can commit, and after a crash the next one goes on where the last commit was.
"""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.memo import Memo
from ...core.database.session import Database
from ...core.database.transactions import after_commit, transactional
from ...market.candles import Candle, Timeframe
from ...market.instruments import KNOWN_SECONDS, Instrument, get_instrument
from ...market.money import exact, multiply
from ...trading.orders.placing import Terms
from ..checking import faults_of, in_words
from ..finding import find_kinds
from ..strategy import CandleClosed, Config, Event, Intent, Market, Strategy
from . import metrics
from .acting import Acting, set_status
from .candles import shortest
from .counting import worth_at
from .locking import Lease, locked
from .model import Desired, Instance, Status
from .settings import RunnerSettings
from .stopping import go_on_stopping
from .telling import Telling
from .thinking import StrategyError, think
from .upcoming import NextCandle, Upcoming, is_young


class Step(StrEnum):
    """Outcomes of a look for an event: one was `made` and more may follow, it was the `last` that
    there is now, or there was `none`."""

    MADE = "made"
    LAST = "last"
    NONE = "none"


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
        self._upcoming = Upcoming(next_candle)
        self._telling = telling
        self._kinds = find_kinds() if kinds is None else kinds
        # Its own, for it is read within steps; those write no instrument.
        self._instruments = Memo()

    async def step(self, lease: Lease, terms: Terms, bid: Decimal | None = None) -> Step:
        """Have the instance decide on its next event, and return whether there was one.

        `bid` is the price that it could sell at now, if that is known. Raises LeaseLostError, or
        StrategyError, with nothing done.
        """
        async with self._database.sessions() as session, transactional(session):
            instance, now, last_seq, *_ = found = await locked(session, lease)
            acting = Acting(session, instance, terms, self._telling, self._settings)
            instrument = await self._instrument(session, instance.symbol)
            if instance.status is Status.STOPPING:
                await go_on_stopping(session, instance, instrument, acting, now, last_seq)
                await acting.finish()
                return Step.LAST
            if instance.status is Status.STARTING or instance.state is None:
                await self._start(session, instance, instrument, now, last_seq, terms)
            event = await self._upcoming.next_event(session, found, instrument, bid)
            if event is None:
                return Step.NONE
            await self._decide(session, instance, instrument, acting, now, event)
            # What comes of its orders wakes it.
            is_newest = isinstance(event, CandleClosed) and is_young(event.candle, now)
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

    async def _instrument(self, session: AsyncSession, symbol: str) -> Instrument:
        found = await self._instruments.read(
            symbol, KNOWN_SECONDS, lambda: get_instrument(session, symbol)
        )
        assert found is not None
        return found


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


def _count_lag(session: AsyncSession, seconds: float) -> None:
    """Count the time from the candle's close until the commit. `seconds` are over by now."""
    begin = time.monotonic()
    after_commit(session, lambda: metrics.LAG.observe(seconds + time.monotonic() - begin))


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
