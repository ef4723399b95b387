"""Leases: which replica runs an instance, by the database's clock."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Interval, and_, cast, exists, func, or_, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.candle_tables import CandleRow
from ...market.candles import Timeframe
from ...market.words import Side
from ...trading.account_books import AccountBooks
from ...trading.orders.model import IS_OPEN, Order
from . import metrics
from .model import ACTIVE, IS_ACTIVE, Instance, Status

_AT_ONCE = 8
"""Leases that a replica takes at a time at most, so that others get some, too."""
_IS_ACTIVE = text(IS_ACTIVE)


class Seen(NamedTuple):
    """An active instance, as a look at the table sees it. `now` is the database's time.

    `may_have_filled` says whether an open order of its account may have been filled by the close of
    the candle that it is told next.
    """

    account_id: UUID
    id: UUID
    name: str
    symbol: str
    timeframe: Timeframe
    status: Status
    owner: str | None
    token: int
    is_free: bool
    cursor_event: int
    cursor_candle: datetime | None
    watch_price: Decimal | None
    wake_at: datetime | None
    last_seq: int
    has_candle: bool
    may_have_filled: bool
    now: datetime

    @property
    def key(self) -> tuple[UUID, UUID]:
        return self.account_id, self.id


_now = func.clock_timestamp()
_is_free = or_(Instance.lease_until.is_(None), Instance.lease_until < _now)
_has_candle = exists().where(
    CandleRow.symbol == Instance.symbol,
    CandleRow.timeframe == Instance.timeframe,
    CandleRow.open_time > Instance.cursor_candle,
)
# An order is filled at a price that its candle has. Where one candle is missing, nobody knows.
_may_have_filled = exists().where(
    CandleRow.symbol == Instance.symbol,
    CandleRow.timeframe == Instance.timeframe,
    CandleRow.open_time > Instance.cursor_candle,
    Order.account_id == Instance.account_id,
    Order.symbol == Instance.symbol,
    text(f"orders.{IS_OPEN}"),
    or_(
        Order.limit_price.is_(None),
        and_(Order.side == Side.BUY, CandleRow.low <= Order.limit_price),
        and_(Order.side == Side.SELL, CandleRow.high >= Order.limit_price),
        CandleRow.open_time > Instance.cursor_candle + cast(Instance.timeframe, Interval),
    ),
)
_SEEN = (
    select(
        *(Instance.account_id, Instance.id, Instance.name, Instance.symbol, Instance.timeframe),
        *(Instance.status, Instance.lease_owner, Instance.lease_token, _is_free),
        *(Instance.cursor_event, Instance.cursor_candle, Instance.watch_price),
        *(Instance.wake_at, AccountBooks.last_seq, _has_candle, _may_have_filled, _now),
    )
    .join(AccountBooks, AccountBooks.account_id == Instance.account_id)
    # In words, as in its index: of parameters, PostgreSQL can't tell that they are the same.
    .where(_IS_ACTIVE)
)


async def look(session: AsyncSession) -> list[Seen]:
    """Return every active instance."""
    return [Seen(*tuple(row)) for row in await session.execute(_SEEN)]


async def take(session: AsyncSession, owner: str, seconds: float) -> int:
    """Take the leases of some instances that nobody runs, and return of how many."""
    free = (
        select(Instance.account_id, Instance.id, Instance.lease_owner)
        .where(_IS_ACTIVE, _is_free)
        .order_by(Instance.lease_until.nulls_first())
        .limit(_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    found = (await session.execute(free)).all()
    if found:
        keys = [(row.account_id, row.id) for row in found]
        await session.execute(
            update(Instance)
            .where(tuple_(Instance.account_id, Instance.id).in_(keys))
            .values(
                lease_owner=owner,
                lease_until=_from_now(seconds),
                lease_token=Instance.lease_token + 1,
            )
            .execution_options(synchronize_session=False)
        )
    for row in found:
        metrics.LEASES.labels("taken" if row.lease_owner is None else "taken_over").inc()
    return len(found)


async def renew(session: AsyncSession, owner: str, seconds: float) -> None:
    """Have the owner's leases last for so many seconds from now on."""
    await session.execute(
        update(Instance)
        .where(Instance.lease_owner == owner, Instance.status.in_(ACTIVE))
        .values(lease_until=_from_now(seconds))
        .execution_options(synchronize_session=False)
    )


async def release(session: AsyncSession, owner: str) -> None:
    """Give the owner's leases back, so that others go on at once."""
    await session.execute(
        update(Instance)
        .where(Instance.lease_owner == owner)
        .values(lease_owner=None, lease_until=None)
        .execution_options(synchronize_session=False)
    )


def _from_now(seconds: float) -> object:
    return _now + func.make_interval(0, 0, 0, 0, 0, 0, seconds)
