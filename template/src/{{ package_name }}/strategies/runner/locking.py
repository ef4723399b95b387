"""Locking an instance: only who has its newest lease gets it, and so only they can commit."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ...trading.account_books import EVERYONE, AccountBooks
from ...trading.risk.state import TradingState, TradingStateRow
from . import feed
from .model import Instance


class LeaseLostError(Exception):
    """Somebody else runs the instance now, or nobody."""


class Lease(NamedTuple):
    """A right to run an instance."""

    account_id: UUID
    id: UUID
    token: int


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
