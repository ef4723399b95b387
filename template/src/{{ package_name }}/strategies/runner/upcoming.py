"""The next event of an instance: of its orders, a candle, a price, or the time."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from ...core.database.memo import Memo
from ...market.candles import Candle, Timeframe
from ...market.instruments import Instrument
from ...market.money import multiply
from ...trading.risk.state import TradingState, state_in_force
from ..strategy import CandleClosed, Event, Fill, PriceReached, TimeReached
from . import feed
from .counting import book_fill
from .locking import Locked
from .model import Desired, Instance

_SHARED_SECONDS: Final = 1.0
NextCandle = Callable[[AsyncSession, Instrument, Timeframe, datetime], Awaitable[Candle | None]]
"""Returns the first closed candle that has opened after a time, None if there is none yet."""


class Upcoming:
    """Finds the next event of instances."""

    def __init__(self, next_candle: NextCandle) -> None:
        self._next_candle = next_candle
        # Its own, for it is read within steps; those write no candle.
        self._candles = Memo()

    async def next_event(
        self,
        session: AsyncSession,
        found: Locked,
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
        if told is not None and (candle is None or told.at < candle.closed_at):
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


async def _why_not_open(
    session: AsyncSession, instance: Instance, candle: Candle, now: datetime, *, is_trading: bool
) -> str:
    """Return why no position may be opened at this candle; "" where one may."""
    if not is_young(candle, now):
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


def is_young(candle: Candle, now: datetime) -> bool:
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


def close_after(opened: datetime, timeframe: Timeframe) -> datetime:
    """Return when the candle after that one ends."""
    return opened + 2 * timedelta(seconds=timeframe.seconds)
