"""The supervisor of a replica: takes leases, and has the instances of its own decide.

One looks at the table each second, and at once when something has happened to an account that one
of its instances trades for. With no instance that runs, that is all that it does.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog

from ...core.database.session import Database
from ...core.database.tables import new_id
from ...core.database.transactions import (
    CommitOutcomeUnknownError,
    RetryableTransactionError,
    after_commit,
    transactional,
)
from ...core.errors import TradingException
from ...core.process.away import is_away
from ...exchanges.client import VenueError
from ...market.instruments import get_instrument
from ...trading.candles.settings import Feed
from ...trading.codes import TradingErrorCode
from ...trading.orders.placing import Terms
from ...trading.wakes import Wakes, woken
from . import lease as leases
from . import metrics
from .acting import Acting, set_status
from .lease import Seen
from .locking import Lease, LeaseLostError, locked
from .model import Status
from .settings import RunnerSettings
from .stepping import Step, Stepper
from .stopping import go_on_stopping
from .telling import Telling
from .upcoming import close_after

_log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 1.0
"""Time between two looks at the table."""
CANDLE_SECONDS: Final = 0.2
"""The same where a candle has ended, and is not stored yet."""
PAUSE_SECONDS: Final = 0.02
"""Pause between two looks: an order makes several events within a moment."""
_ALERT_AFTER: Final = 2
_MOST_STEPS: Final = 200
"""Steps of an instance until the others have a turn."""
MOST_ERRORS: Final = 5
ERROR_WINDOW: Final = timedelta(hours=1)

TermsOf = Callable[[UUID, str], Awaitable[Terms]]
BidOf = Callable[[str], Decimal | None]
Settle = Callable[[UUID], Awaitable[object]]


class Supervisor:
    """Runs the instances whose leases it has."""

    def __init__(
        self,
        database: Database,
        settings: RunnerSettings,
        stepper: Stepper,
        telling: Telling,
        wakes: Wakes,
        *,
        terms_of: TermsOf,
        learn_terms: Callable[[set[UUID]], Awaitable[object]],
        bid_of: BidOf,
        settle: Settle,
        why_no_candles: Callable[[Feed], str],
        at_once: int = 1,
    ) -> None:
        """Make `at_once` steps at the same time: each needs a connection.

        `learn_terms` reads at once what `terms_of` would read for each account.
        `settle` has the books know every fill that an account has at the exchange until now.
        `why_no_candles` says why those of a feed do not come, if they do not.
        """
        self.name = f"{socket.gethostname()[:30]}-{os.getpid()}-{new_id().hex[-8:]}"
        self._database = database
        self._settings = settings
        self._stepper = stepper
        self._telling = telling
        self._wakes = wakes
        self._terms_of = terms_of
        self._learn_terms = learn_terms
        self._bid_of = bid_of
        self._settle = settle
        self._why_no_candles = why_no_candles
        self._turns = asyncio.Semaphore(at_once)
        self._event = asyncio.Event()
        self._accounts: set[UUID] = set()
        self._feeds: set[Feed] = set()
        self._is_waiting = False
        self._resting: dict[tuple[UUID, UUID], float] = {}
        self._late: dict[tuple[UUID, UUID], int] = {}
        self._without: dict[tuple[UUID, UUID], str] = {}

    # --- What runs -------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look once, as soon as there is a reason to."""
        await woken(self._event, CANDLE_SECONDS if self._is_waiting else LOOK_SECONDS)
        await self.run_once()
        await asyncio.sleep(PAUSE_SECONDS)

    async def run_once(self) -> int:
        """Have every instance of ours decide on all that it was not told yet; return how many."""
        seen = await self._look()
        own = [one for one in seen if one.owner == self.name]
        self._follow({one.account_id for one in own})
        for known in (self._resting, self._late, self._without):
            for key in known.keys() - {one.key for one in own}:
                del known[key]
        metrics.LATE.set(sum(late >= _ALERT_AFTER for late in self._late.values()))
        self._feeds = {Feed(one.symbol, one.timeframe) for one in seen}
        self._is_waiting = any(_misses_candle(one) for one in own)
        # Those without fills take less time: the others keep fewer of them waiting.
        due = sorted((one for one in own if self._is_due(one)), key=lambda one: one.may_have_filled)
        if due:
            await self._learn_terms({one.account_id for one in due})
        late = [one for one in own if self._is_late(one)]
        without = [one for one in own if self._is_without_candles(one)]
        outcomes = await asyncio.gather(
            *(self._advance(one) for one in due),
            *(self._note_late_candle(one) for one in late),
            *(self._note_no_candles(one) for one in without),
            return_exceptions=True,
        )
        for error in outcomes:
            if error is not None:
                raise error
        return len(due)

    def wake(self) -> None:
        """Look at once: there may be something to decide on."""
        self._event.set()

    async def feeds(self) -> set[Feed]:
        """Return the candles that running strategies decide on, as of the last look."""
        return self._feeds

    async def renew(self) -> None:
        """Renew the leases; with none, nothing is asked for."""
        if self._accounts:
            async with self._database.sessions() as session, transactional(session):
                await leases.renew(session, self.name, self._settings.lease)

    async def release(self) -> None:
        """Give the leases back: at the end of the process."""
        if self._accounts:
            self._follow(set())
            async with self._database.sessions() as session, transactional(session):
                await leases.release(session, self.name)
            metrics.LEASES.labels("released").inc()

    async def _look(self) -> list[Seen]:
        async with self._database.sessions() as session:
            seen = await leases.look(session)
            await session.rollback()
            if not any(one.is_free for one in seen):
                return seen
            async with transactional(session):
                taken = await leases.take(session, self.name, self._settings.lease)
            return await leases.look(session) if taken else seen

    def _follow(self, accounts: set[UUID]) -> None:
        """Be woken for these accounts, and for no others."""
        for account_id in accounts - self._accounts:
            self._wakes.wait_for(account_id, self._event)
        for account_id in self._accounts - accounts:
            self._wakes.wait_no_more(account_id, self._event)
        self._accounts = accounts

    # --- One instance ----------------------------------------------------------------------------

    def _is_due(self, one: Seen) -> bool:
        if time.monotonic() < self._resting.get(one.key, 0):
            return False
        if one.status in (Status.STARTING, Status.STOPPING) or one.cursor_candle is None:
            return True
        if one.last_seq > one.cursor_event:
            return True
        if one.wake_at is not None and one.wake_at <= one.now:
            return True
        return one.has_candle or self._bid_to_tell(one) is not None

    def _bid_to_tell(self, one: Seen) -> Decimal | None:
        if one.watch_price is None:
            return None
        bid = self._bid_of(one.symbol)
        return bid if bid is not None and bid <= one.watch_price else None

    async def _advance(self, one: Seen) -> None:
        """Have the instance decide until there is nothing more to decide on."""
        lease = Lease(one.account_id, one.id, one.token)
        try:
            terms = await self._terms(one)
            if terms is None:
                if one.status is Status.STOPPING:
                    async with self._turns:
                        await self._stop_without_terms(one, lease)
                return
            if one.status is Status.STARTING and terms.last is None:
                return  # nothing can be placed before the first price is known
            is_deciding = one.status is not Status.STOPPING
            if one.may_have_filled and is_deciding:
                # What was filled before the close is told before it.
                async with self._turns:
                    await self._settle(one.account_id)
            await self._step(one, lease, terms)
        except LeaseLostError:
            metrics.LEASES.labels("lost").inc()
            _log.warning("a strategy is run by somebody else", strategy=one.name)
        except VenueError as error:
            _log.warning("no fills", account=str(one.account_id), reason=str(error))
        except (RetryableTransactionError, CommitOutcomeUnknownError) as error:
            _log.warning("a step is made again", strategy=one.name, error=repr(error))
        except Exception as error:
            if is_away(error):
                raise
            await self._fail(one, lease, error)

    async def _terms(self, one: Seen) -> Terms | None:
        """Return its terms; None until the books were compared with the exchange."""
        try:
            return await self._terms_of(one.account_id, one.symbol)
        except TradingException as refusal:
            if refusal.code is not TradingErrorCode.RECONCILING:
                raise
            return None

    async def _stop_without_terms(self, one: Seen, lease: Lease) -> None:
        """Have it cancel its orders, and stop at its deadline, while nothing can be placed."""
        async with self._database.sessions() as session, transactional(session):
            instance, now, last_seq, *_ = await locked(session, lease)
            if instance.status is not Status.STOPPING:
                return
            instrument = await get_instrument(session, instance.symbol)
            acting = Acting(session, instance, None, self._telling, self._settings)
            await go_on_stopping(session, instance, instrument, acting, now, last_seq)
            await acting.finish()

    async def _step(self, one: Seen, lease: Lease, terms: Terms) -> None:
        for _ in range(_MOST_STEPS):
            async with self._turns:
                step = await self._stepper.step(lease, terms, self._bid_of(one.symbol))
            if step is not Step.MADE:
                return
        self._event.set()

    def _is_late(self, one: Seen) -> bool:
        """Tell whether it waits for a candle for another timeframe than when that was noted."""
        if not _misses_candle(one):
            self._late.pop(one.key, None)
            return False
        return _late_by(one) // one.timeframe.length > self._late.get(one.key, 0)

    def _is_without_candles(self, one: Seen) -> bool:
        """Tell whether no candles come, for a reason that was not noted yet."""
        why = "" if one.has_candle else self._why_no_candles(Feed(one.symbol, one.timeframe))
        known = self._without.get(one.key, "")
        self._without[one.key] = why
        return why not in ("", known)

    async def _note_no_candles(self, one: Seen) -> None:
        """Note why it decides nothing: it waits for candles that do not come."""
        with suppress(LeaseLostError):
            async with self._database.sessions() as session, transactional(session):
                instance = (
                    await locked(session, Lease(one.account_id, one.id, one.token))
                ).instance
                acting = Acting(session, instance, None, self._telling, self._settings)
                acting.note("no_candles", f"it waits for candles: {self._without[one.key]}")
                await acting.finish()

    async def _note_late_candle(self, one: Seen) -> None:
        """Note that the candle it waits for is late: after one timeframe, and, as an alert, two."""
        late = _late_by(one)
        timeframes = late // one.timeframe.length
        text = f"no candle has come for {late.total_seconds():.0f} s after its close"
        with suppress(LeaseLostError):  # who has it now tells of it
            async with self._database.sessions() as session, transactional(session):
                lease = Lease(one.account_id, one.id, one.token)
                instance = (await locked(session, lease)).instance
                acting = Acting(session, instance, None, self._telling, self._settings)
                if one.key not in self._late:
                    acting.note("late_candle", text)
                if timeframes >= _ALERT_AFTER > self._late.get(one.key, 0):
                    acting.alert("late_candle", text)
                await acting.finish()
            self._late[one.key] = timeframes

    async def _fail(self, one: Seen, lease: Lease, error: Exception) -> None:
        """Pause the instance because of an error; after some within an hour, end it."""
        _log.error("a strategy has failed", strategy=one.name, id=str(one.id), exc_info=error)
        try:
            async with self._database.sessions() as session, transactional(session):
                instance, now, *_ = await locked(session, lease)
                if instance.errors_since is None or now - instance.errors_since > ERROR_WINDOW:
                    instance.errors, instance.errors_since = 0, now
                instance.errors += 1
                reason = str(error) or type(error).__name__
                acting = Acting(session, instance, None, self._telling, self._settings)
                acting.note("error", reason)
                if instance.errors >= MOST_ERRORS:
                    await set_status(session, instance, Status.FAILED, reason, "service")
                    instance.lease_owner = instance.lease_until = None
                    acting.alert("failed", reason)
                elif instance.status is not Status.STOPPING:
                    await acting.pause(reason)
                await acting.finish()
                after_commit(session, metrics.ERRORS.labels(instance.kind).inc)
                self._resting[one.key] = time.monotonic() + 2.0**instance.errors
        except LeaseLostError:
            metrics.LEASES.labels("lost").inc()


def _misses_candle(one: Seen) -> bool:
    """Tell whether a candle has ended that is not stored yet."""
    return not one.has_candle and _late_by(one) >= timedelta(0)


def _late_by(one: Seen) -> timedelta:
    """Return for how long the candle has ended that it is told next; negative: it has not."""
    if one.cursor_candle is None:
        return timedelta(days=-1)
    return one.now - close_after(one.cursor_candle, one.timeframe)
