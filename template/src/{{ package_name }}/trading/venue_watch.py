"""The watch: fetches fills and ends of orders from the exchange, and settles them.

Fills are fetched after a cursor, which is committed together with the last of them, in whatever
order they come: none is lost, and one that comes twice changes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from typing import Final
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from sqlalchemy import ColumnElement, and_, bindparam, case, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.database.session import Database
from ..core.database.transactions import transactional
from ..exchanges.client import ExchangeClient, VenueError
from ..market.words import TimeInForce
from .account_books import lock_books
from .failures import Failures
from .orders.model import Order
from .orders.queries import get_order
from .orders.states import OPEN, OrderStatus
from .reconciliation.model import VenueCursor
from .settlement import apply_fill, apply_report

_log = structlog.get_logger(__name__)

_FILLS_A_TRANSACTION: Final = 100
"""Fills that are settled in one transaction: it locks the account's books."""
_SOON_SECONDS: Final = 0.2
"""From one look at an account to the next, where fills come one after the other."""


class VenueWatch:
    """Looks at the accounts that have open orders, or at one of them."""

    def __init__(
        self, database: Database, exchange: ExchangeClient, *, is_told: bool = False
    ) -> None:
        self.changed: set[UUID] = set()
        """Accounts of which the exchange has told that they have something new."""
        self.news = asyncio.Event()
        """There is something new for `run_once` to look at."""
        self.is_told = is_told
        """Flag: the exchange tells what an order is filled by before it has answered `place`."""
        self._database = database
        self._exchange = exchange
        self._failures = Failures("venue watch")
        self._expected: Counter[UUID] = Counter()
        self._fetches: WeakValueDictionary[UUID, _Fetch] = WeakValueDictionary()
        self._clock = count(1)

    async def run_once(self, every: float) -> int:
        """Look at each account with open orders that nobody has looked at for `every` seconds.

        Those that have changed are looked at sooner. Return at how many. What goes wrong with one
        is logged, and the others are looked at.
        """
        changed = self.changed - self._expected.keys()
        self.changed -= changed
        looked = 0
        for account_id, is_due in await self._open_accounts(changed, every):
            seconds = min(every, _SOON_SECONDS) if account_id in changed else every
            try:
                if is_due and await self._is_first(account_id, seconds):
                    looked += 1
                    await self.look(account_id)
                    self._failures.forget(account_id)
                elif account_id in changed:
                    self.changed.add(account_id)
            except VenueError as error:
                _log.warning("no fills", account=str(account_id), reason=str(error))
            except Exception as error:
                self._failures.note(account_id, error)
        return looked

    async def look(self, account_id: UUID) -> None:
        """Settle the account's new fills, and the orders that have ended. Raises VenueError."""
        await self.fetch_fills(account_id)
        await self.fetch_ends(account_id)

    def note(self, accounts: Collection[UUID]) -> None:
        """Note that they have changed. It is news unless somebody expects it."""
        self.changed.update(accounts)
        if not self._expected.keys() >= set(accounts):
            self.news.set()

    @contextmanager
    def expected(self, account_id: UUID) -> Iterator[None]:
        """Leave a change of the account to the block. What it has not looked at is news then."""
        self._expected[account_id] += 1
        try:
            yield
        finally:
            self._expected[account_id] -= 1
            self._expected += Counter()  # it forgets those with 0
            if account_id in self.changed - self._expected.keys():
                self.news.set()

    async def look_at(self, order: Order) -> None:
        """Settle what became of an order that was just accepted: one that can't rest has ended.

        One that can may have been filled already. Raises VenueError; `run_once` looks again then.
        """
        can_rest = order.time_in_force is TimeInForce.GTC
        if can_rest and self.is_told and order.account_id not in self.changed:
            return
        self.changed.discard(order.account_id)
        try:
            await self.fetch_fills(order.account_id)
            if not can_rest:
                await self._look_for_end(order)
        except BaseException:
            self.changed.add(order.account_id)
            raise

    async def fetch_fills(self, account_id: UUID) -> int:
        """Settle the account's new fills, and return how many were new.

        0 where they were fetched by another call meanwhile: those at the same time take turns, and
        whoever waits has what is fetched from then on.
        """
        fetch = self._fetches.setdefault(account_id, _Fetch())
        asked = next(self._clock)
        async with fetch.turn:
            if fetch.begun > asked:
                return 0
            begun = next(self._clock)
            new = await self._fetch(account_id)
            fetch.begun = begun
            return new

    async def _fetch(self, account_id: UUID) -> int:
        venue = self._exchange.name
        async with self._database.reading_sessions() as session:
            cursor = await _cursor(session, account_id, venue)
        fills = await self._exchange.fills_since(account_id, cursor)
        new = 0
        for start in range(0, len(fills), _FILLS_A_TRANSACTION):
            part = fills[start : start + _FILLS_A_TRANSACTION]
            async with self._database.sessions() as session, transactional(session):
                for fill in part:
                    new += await apply_fill(session, venue, fill) is not None
                if part[-1] is fills[-1]:
                    await _move_cursor(session, account_id, venue, part[-1].cursor)
        return new

    async def fetch_ends(self, account_id: UUID) -> None:
        """Settle the account's orders that the exchange has no more among its open ones."""
        async with self._database.reading_sessions() as session:
            query = select(Order).where(
                Order.account_id == account_id,
                Order.status.in_(OPEN - {OrderStatus.PENDING_NEW}),
                Order.venue_order_id.is_not(None),
            )
            ours = (await session.scalars(query)).all()
        if not ours:
            return
        open_there = {
            order.venue_client_id for order in await self._exchange.open_orders(account_id)
        }
        for order in ours:
            if order.venue_client_id not in open_there:
                await self._fetch_end(order)

    async def _look_for_end(self, order: Order) -> None:
        async with self._database.reading_sessions() as session:
            current = await get_order(session, order.account_id, order.id)
        if current.status.is_open:
            await self._fetch_end(current)

    async def _fetch_end(self, order: Order) -> None:
        report = await self._exchange.get_order(order.account_id, order.venue_client_id)
        if report is None:  # reconciliation tells of it; nobody concludes anything
            return
        if report.filled_qty > order.filled_qty:
            await self.fetch_fills(order.account_id)
        async with self._database.sessions() as session, transactional(session):
            await lock_books(session, order.account_id)
            await apply_report(session, report)

    async def _open_accounts(self, changed: set[UUID], every: float) -> list[tuple[UUID, bool]]:
        """Return the accounts with open orders, and whether the seconds of each are over."""
        is_changed = Order.account_id.in_(changed)
        seconds = case((is_changed, min(every, _SOON_SECONDS)), else_=every)
        looked_at = VenueCursor.looked_at
        is_over = func.coalesce(looked_at <= _seconds_ago(seconds), True)
        of_account = and_(
            VenueCursor.account_id == Order.account_id, VenueCursor.venue == self._exchange.name
        )
        query = (
            select(Order.account_id, is_over)
            .outerjoin(VenueCursor, of_account)
            .where(Order.status.in_(OPEN))
            .distinct()
            .order_by(Order.account_id)
        )
        async with self._database.reading_sessions() as session:
            return [(account, is_due) for account, is_due in await session.execute(query)]

    async def _is_first(self, account_id: UUID, seconds: float) -> bool:
        """Tell whether no other replica looks at the account now; from here on, this one does."""
        row = {"account_id": account_id, "venue": self._exchange.name}
        async with self._database.sessions() as session, transactional(session):
            first = await session.scalar(
                insert(VenueCursor)
                .values(**row, looked_at=func.clock_timestamp())
                .on_conflict_do_update(
                    index_elements=["account_id", "venue"],
                    set_={"looked_at": func.clock_timestamp()},
                    where=VenueCursor.looked_at <= _seconds_ago(seconds),
                )
                .returning(VenueCursor.account_id)
            )
        return first is not None


class _Fetch:
    """Fetches of an account, one after the other; `begun` is when the last that succeeded began."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.begun = 0


def _seconds_ago(seconds: ColumnElement[float] | float) -> ColumnElement[datetime]:
    return func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, seconds)


_CURSOR = select(VenueCursor.cursor).where(
    VenueCursor.account_id == bindparam("account_id"), VenueCursor.venue == bindparam("venue")
)


async def _cursor(session: AsyncSession, account_id: UUID, venue: str) -> str | None:
    return await session.scalar(_CURSOR, {"account_id": account_id, "venue": venue})


_new = insert(VenueCursor)
_MOVE_CURSOR = _new.on_conflict_do_update(
    index_elements=["account_id", "venue"], set_={"cursor": _new.excluded.cursor}
)


async def _move_cursor(session: AsyncSession, account_id: UUID, venue: str, cursor: str) -> None:
    row = {"account_id": account_id, "venue": venue, "cursor": cursor}
    await session.execute(_MOVE_CURSOR, row)
