"""A turn of an instrument: its row is locked, and what has happened meanwhile is caught up with.

Replicas take turns; all that they share is in the tables. Locks are taken in one order: instrument,
accounts by their id.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from ..client import VenueOrderStatus
from . import store
from .matching import Book, Fees, Fill, Ladder, Order, Rules
from .sources import Best, PriceSource
from .tables import instruments

POSTED: Final = "posted"

LONGEST_WALK: Final = 90_000
"""Ticks that are looked at one by one after a pause; a longer one is walked in larger steps."""

_TICKS_IN_A_TURN: Final = 250  # nothing else runs in the process while they are computed

Clock = Callable[[datetime], datetime]
"""Tells the venue's time, given that of the database, which all replicas share."""

NOW: Final = func.clock_timestamp().label("database_now")
"""Column of a query that tells the time as well; see `Market.now_of`."""


def database_time(now: datetime) -> datetime:
    """Return the time of the database: that is the venue's, unless a test has another clock."""
    return now


_NOW = select(NOW)


@dataclass(frozen=True, slots=True)
class Market:
    """Parts of the venue, apart from its tables."""

    source: PriceSource | None
    """None: prices are posted."""
    fees: Fees
    clock: Clock = database_time

    @property
    def source_name(self) -> str:
        return self.source.name if self.source else POSTED

    def now_of(self, row: Row[Any]) -> datetime:
        """Return the time at which a row with `NOW` was read."""
        return self.clock(row.database_now)

    async def now(self, session: AsyncSession) -> datetime:
        return self.now_of((await session.execute(_NOW)).one())


@dataclass(slots=True)
class Walk:
    """A walk through the ticks that were missed, in as many turns as it takes."""

    step: int = 0

    def next_ticks(self, last: int, current: int) -> list[int]:
        """Return the ticks after `last` that the next turn looks at; `current` is after it."""
        self.step = self.step or -(-(current - last) // LONGEST_WALK)
        steps = range(last + self.step, current, self.step)
        return list(islice(chain(steps, [current]), _TICKS_IN_A_TURN))


@dataclass(frozen=True, slots=True)
class PostedQuote:
    """A ladder that somebody has posted: the next tick."""

    ladder: Ladder
    at: datetime | None


@dataclass(slots=True)
class Turn:
    """A locked instrument at its current tick, or, while `is_behind`, on its way there."""

    tx: AsyncSession
    now: datetime
    tick: int
    tick_at: datetime
    book: Book
    orders: dict[int, Order]
    """Those that were loaded, by number."""
    counts: dict[UUID, int]
    """Fills that the locked accounts have had."""
    is_behind: bool = False
    rows: list[dict[str, Any]] = field(default_factory=list)
    """Fills to store."""
    changed: dict[int, Order] = field(default_factory=dict)
    new: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Rows of the orders to store that are new, by number."""

    @property
    def rules(self) -> Rules:
        return self.book.rules

    def add(self, order: Order, venue_client_id: str) -> None:
        """Keep an order that is new for `save`."""
        assert isinstance(order.account, UUID)
        self.changed[order.number] = order
        self.new[order.number] = {
            "number": order.number,
            "account_id": order.account,
            "venue_client_id": venue_client_id,
            "symbol": self.rules.symbol,
            "side": order.side,
            "type": order.type,
            "time_in_force": order.time_in_force,
            "qty": order.qty,
            "limit_price": order.limit_price,
            "post_only": order.post_only,
            "worst_price": order.worst_price,
            "created_at": self.now,
        }

    def note(self, fills: list[Fill], tick: int, at: datetime) -> None:
        """Keep fills for `save`, each with the next number of its account."""
        for fill in fills:
            account = fill.order.account
            assert isinstance(account, UUID)
            self.counts[account] += 1
            self.changed[fill.order.number] = fill.order
            self.rows.append(
                {
                    "symbol": self.rules.symbol,
                    "trade_id": fill.trade_id,
                    "account_id": account,
                    "number": self.counts[account],
                    "order_number": fill.order.number,
                    "tick": tick,
                    "qty": fill.qty,
                    "price": fill.price,
                    "fee": fill.fee,
                    "fee_currency": fill.fee_currency,
                    "liquidity": fill.liquidity,
                    "created_at": at,
                }
            )

    async def save(self, source_name: str) -> frozenset[UUID]:
        """Write what has changed, and return whose orders were filled or have ended."""
        if self.new:
            written = [
                values
                | {
                    "status": self.changed[number].status,
                    "filled_qty": self.changed[number].filled_qty,
                    "reason": self.changed[number].reason,
                    "updated_at": self.now,
                }
                for number, values in self.new.items()
            ]
            await store.add_orders(self.tx, written)
        known = [order for number, order in self.changed.items() if number not in self.new]
        await store.save_orders(self.tx, known, self.now)
        await store.save_fills(self.tx, self.rows)
        if self.changed:
            await store.save_funds(self.tx, self.book.funds)
        if self.rows:
            await store.count_fills(self.tx, self.counts)
        await store.save_instrument(
            self.tx,
            self.rules.symbol,
            source=source_name,
            last_tick=self.tick,
            tick_at=self.tick_at,
            trades=self.book.trades,
            ladder=store.ladder_to_store(self.book.ladder),
        )
        return frozenset(
            order.account
            for order in self.changed.values()
            if order.status is not VenueOrderStatus.NEW and isinstance(order.account, UUID)
        )


_INSTRUMENT = select(instruments).where(instruments.c.symbol == bindparam("symbol"))
_LOCK = _INSTRUMENT.with_for_update()
_LOCK_FREE = _INSTRUMENT.with_for_update(skip_locked=True)


async def take_turn(
    tx: AsyncSession,
    market: Market,
    symbol: str,
    walk: Walk,
    *,
    account_id: UUID | None = None,
    posted: PostedQuote | None = None,
    skip_locked: bool = False,
) -> Turn | None:
    """Lock the instrument, and catch up with its ticks, or with some of them.

    `account_id` is locked, too. None, if there is no such instrument, or, with `skip_locked`, if
    somebody else has the turn.
    """
    query = _LOCK_FREE if skip_locked else _LOCK
    row = (await tx.execute(query, {"symbol": symbol})).one_or_none()
    if row is None:
        return None
    now = await market.now(tx)  # a row that is waited for may tell when the waiting began
    moves: list[_Move] = []
    resting: list[Order] = []
    is_behind = False
    if posted is not None or not is_current(market, row, now):
        prices = await store.resting_prices(tx, symbol)
        moves, is_behind = _moves(market, row, now, walk, posted, prices != (None, None))
        moves = [_reaching(move, prices) for move in moves]
        resting = await _within_reach(tx, symbol, moves)
    turn = await _turn(tx, market, row, now, resting, account_id)
    turn.is_behind = is_behind
    for move in moves:
        turn.tick, turn.tick_at = move.tick, move.at
        if move.is_reaching:
            turn.note(turn.book.tick(move.ladder()), move.tick, move.at)
    if moves and not moves[-1].is_reaching:
        turn.book.ladder = moves[-1].ladder()
    return turn


def is_current(market: Market, row: Row[Any], now: datetime) -> bool:
    """Tell whether nothing has happened since the instrument's last tick."""
    source = market.source
    if source is None:
        return True
    return bool(row.source == source.name and row.last_tick >= source.tick_at(now))


@dataclass(frozen=True, slots=True)
class _Move:
    """A tick to go to."""

    tick: int
    at: datetime
    best: Best
    ladder: Callable[[], Ladder]
    is_reaching: bool = False
    """It reaches an open order."""


def _moves(
    market: Market,
    row: Row[Any],
    now: datetime,
    walk: Walk,
    posted: PostedQuote | None,
    is_awaited: bool,
) -> tuple[list[_Move], bool]:
    """Return the next ticks, and whether there are more after them."""
    if posted is not None:
        ladder = posted.ladder
        bid, ask = (side[0].price if side else None for side in (ladder.bids, ladder.asks))
        return [_Move(row.last_tick + 1, posted.at or now, (bid, ask), lambda: ladder)], False
    source = market.source
    assert source is not None
    current = source.tick_at(now)
    # Of what other ticks have counted, and of a time when nobody waited, only the end matters.
    last = row.last_tick if is_awaited and row.source == source.name else current - 1
    ticks = walk.next_ticks(last, current)
    rules = store.rules_of(row)
    moves = [
        _Move(tick, source.time_of(tick), best, partial(source.ladder, rules, tick))
        for tick, best in zip(ticks, source.best(rules, ticks), strict=True)
    ]
    return moves, ticks[-1] < current


def _reaching(move: _Move, resting: Best) -> _Move:
    """Return the move with whether it reaches an order, `resting` being the best of them."""
    (bid, ask), (buy, sell) = move.best, resting
    is_buying = buy is not None and ask is not None and buy >= ask
    is_selling = sell is not None and bid is not None and sell <= bid
    return replace(move, is_reaching=is_buying or is_selling)


async def _within_reach(tx: AsyncSession, symbol: str, moves: list[_Move]) -> list[Order]:
    """Return the open orders that the moves reach."""
    best = [move.best for move in moves if move.is_reaching]
    if not best:
        return []
    highest_bid = max((bid for bid, _ in best if bid is not None), default=None)
    lowest_ask = min((ask for _, ask in best if ask is not None), default=None)
    return await store.orders_within_reach(tx, symbol, highest_bid, lowest_ask)


async def _turn(
    tx: AsyncSession,
    market: Market,
    row: Row[Any],
    now: datetime,
    resting: list[Order],
    account_id: UUID | None,
) -> Turn:
    """Return the turn before its moves, with the accounts of the orders locked."""
    rules = store.rules_of(row)
    touched = {order.account for order in resting if isinstance(order.account, UUID)}
    touched |= {account_id} if account_id else set()
    counts = await store.lock_accounts(tx, touched)
    funds = await store.read_funds(tx, touched, (rules.base_currency, rules.quote_currency))
    is_same = row.source == market.source_name
    book = Book(
        rules,
        market.fees,
        funds,
        ladder=store.ladder_of(row.ladder) if is_same else Ladder(),
        trades=row.trades,
        resting=resting,
    )
    loaded = {order.number: order for order in resting}
    return Turn(tx, now, row.last_tick, row.tick_at, book, loaded, counts)
