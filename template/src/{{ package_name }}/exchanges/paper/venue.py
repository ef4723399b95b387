"""The venue: what it does with an order, and what it tells about one.

Everything is in its tables, so that any number of replicas are one venue, and a restart goes on.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Row, Select, bindparam, exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from ...core.database.transactions import run_in_transaction
from ...market.candles import Timeframe
from ...market.money import MAX_AMOUNT, exact, is_multiple
from ..client import (
    Accepted,
    Duplicate,
    NoCandlesError,
    PlaceOutcome,
    Quote,
    Rejected,
    TransferOutcome,
    VenueBalance,
    VenueCandle,
    VenueFill,
    VenueOrder,
    VenueOrderRequest,
)
from . import store
from .matching import Ladder, Order, Refused, Rules
from .tables import balances, fills, instruments, order_numbers, orders, transfers
from .turn import NOW, Market, PostedQuote, Turn, Walk, is_current, take_turn

T = TypeVar("T")

FindRules = Callable[[str], Awaitable[Rules | None]]
"""Tells the venue the rules of a symbol that it has not traded yet; None if there is none."""

OnChange = Callable[[frozenset[UUID]], None]
"""Is told of the accounts whose orders were filled or have ended, once that is committed."""

_SMALLEST = Decimal("1E-18")
_MICROSECOND = timedelta(microseconds=1)

_log = structlog.get_logger(__name__)


class Venue:
    """The venue without faults and latency."""

    def __init__(
        self,
        sessions: async_sessionmaker[AsyncSession],
        reading: async_sessionmaker[AsyncSession],
        market: Market,
        find_rules: FindRules,
        on_change: OnChange | None = None,
    ) -> None:
        self.market = market
        self._sessions = sessions
        self._reading = reading
        self._find_rules = find_rules
        self._on_change = on_change
        self._known: dict[str, Rules] = {}

    # --- Requests --------------------------------------------------------------------------------

    async def place(self, request: VenueOrderRequest) -> PlaceOutcome:
        if await self.rules(request.symbol) is None:
            return Rejected("INSTRUMENT_NOT_FOUND", f"the venue has no {request.symbol}")

        async def place(turn: Turn) -> PlaceOutcome:
            return await self._place(turn, request)

        outcome = await self._in_turns(request.symbol, place, account_id=request.account_id)
        assert outcome is not None
        return outcome

    async def _place(self, turn: Turn, request: VenueOrderRequest) -> PlaceOutcome:
        # The account is locked: whoever finds no order later, finds none for good.
        key = {"account_id": request.account_id, "venue_client_id": request.venue_client_id}
        found = (await turn.tx.execute(_BEFORE_PLACING, key)).one()
        if found.is_known:
            return Duplicate()
        now = self.market.now_of(found)
        if request.valid_until is not None and now > request.valid_until:
            return Rejected("REQUEST_EXPIRED", f"the request came after {request.valid_until}")
        order = Order(
            number=found.n,
            account=request.account_id,
            side=request.side,
            type=request.type,
            time_in_force=request.time_in_force,
            qty=request.qty,
            limit_price=request.limit_price,
            post_only=request.post_only,
            worst_price=request.worst_price,
        )
        try:
            made = turn.book.place(order)
        except Refused as refusal:
            return Rejected(refusal.reason.value, refusal.message)
        turn.add(order, request.venue_client_id)
        turn.note(made, turn.tick, now)
        return Accepted(str(order.number))

    async def cancel(self, account_id: UUID, venue_client_id: str) -> Accepted | Rejected:
        key = {"account_id": account_id, "venue_client_id": venue_client_id}
        found = await self._row(_ORDER, key)
        if found is None:
            return Rejected("UNKNOWN_ORDER", f"the venue has no order {venue_client_id}")

        async def cancel(turn: Turn) -> Accepted | Rejected:
            row = (await turn.tx.execute(_ORDER, key)).one()
            order = turn.orders.get(row.number)
            if order is None:
                order = store.order_of(row)
                if not order.status.is_final:
                    turn.book.rest(order)
            if order.status.is_final:
                return Rejected("ALREADY_CLOSED", f"the order is {order.status}")
            turn.book.cancel(order)
            turn.changed[order.number] = order
            return Accepted(str(order.number))

        outcome = await self._in_turns(found.symbol, cancel, account_id=account_id)
        assert outcome is not None
        return outcome

    async def deposit(
        self, account_id: UUID, transfer_id: str, currency: str, amount: Decimal
    ) -> TransferOutcome:
        if not (amount.is_finite() and 0 < amount < MAX_AMOUNT and is_multiple(amount, _SMALLEST)):
            return Rejected("INVALID_AMOUNT", "more than 0, below 1e20, at most 18 decimals")

        async def deposit(tx: AsyncSession) -> TransferOutcome:
            await store.lock_accounts(tx, {account_id})
            key = {"account_id": account_id, "transfer_id": transfer_id}
            if known := (await tx.execute(_TRANSFER, key)).one_or_none():
                if (known.currency, known.amount) != (currency, amount):
                    return Rejected("TRANSFER_ID_REUSED", f"{transfer_id} was another transfer")
                return Accepted(transfer_id)
            values = key | {
                "currency": currency,
                "amount": amount,
                "created_at": await self.market.now(tx),
            }
            await tx.execute(insert(transfers).values(values))
            funds = await store.read_funds(tx, {account_id}, [currency])
            with exact():
                funds[account_id, currency].free += amount
            await store.save_funds(tx, funds)
            return Accepted(transfer_id)

        return await run_in_transaction(self._sessions, deposit)

    async def post(self, symbol: str, ladder: Ladder, at: datetime | None) -> None:
        """Go to the next tick, with these offers."""

        async def nothing(turn: Turn) -> None:
            pass

        await self._in_turns(symbol, nothing, posted=PostedQuote(ladder, at))

    # --- Questions -------------------------------------------------------------------------------

    async def order(self, account_id: UUID, venue_client_id: str) -> VenueOrder | None:
        """Return the order. None is for good once its `valid_until` has passed."""
        key = {"account_id": account_id, "venue_client_id": venue_client_id}
        row = await self._row(_ORDER, key)
        if row is None:

            async def look_again(tx: AsyncSession) -> Row[Any] | None:
                await store.lock_accounts(tx, {account_id})  # wait for one that is being placed
                return (await tx.execute(_ORDER, key)).one_or_none()

            row = await run_in_transaction(self._sessions, look_again)
        if row is None:
            return None
        await self.advance(row.symbol)
        row = await self._row(_ORDER, key)
        assert row is not None
        return _venue_order(row)

    async def open_orders(self, account_id: UUID) -> Sequence[VenueOrder]:
        await self._advance_for(account_id)
        query = select(orders).where(orders.c.account_id == account_id, store.IS_OPEN)
        async with self._reading() as session:
            rows = await session.execute(query.order_by(orders.c.number))
            return [_venue_order(row) for row in rows]

    async def fills_since(
        self, account_id: UUID, cursor: str | None, delay_ticks: int = 0
    ) -> Sequence[VenueFill]:
        """Return the fills after the cursor, up to the first that is younger than `delay_ticks`."""
        await self._advance_for(account_id)
        values = {"account_id": account_id, "after": int(cursor or 0)}
        found: list[VenueFill] = []
        source = self.market.source
        async with self._reading() as session:
            for row in await session.execute(_FILLS_AFTER, values):
                current = source.tick_at(self.market.now_of(row)) if source else row.last_tick
                if current - delay_ticks < row.tick <= current:  # not one of other settings
                    break
                found.append(_venue_fill(row))
        return found

    async def balances(self, account_id: UUID) -> Sequence[VenueBalance]:
        await self._advance_for(account_id)
        query = select(balances).where(balances.c.account_id == account_id)
        async with self._reading() as session:
            rows = await session.execute(query.order_by(balances.c.currency))
            return [VenueBalance(row.currency, row.free, row.frozen) for row in rows]

    async def quote(self, symbol: str) -> Quote | None:
        """Return the best of what the market offers now; writes nothing."""
        rules = await self.rules(symbol)
        if rules is None:
            return None
        async with self._reading() as session:
            row = (await session.execute(_INSTRUMENT, {"symbol": symbol})).one()
        now, source = self.market.now_of(row), self.market.source
        if source is not None and not is_current(self.market, row, now):
            tick = source.tick_at(now)
            await source.prepare(rules, tick, tick)
            return _quote(rules, source.ladder(rules, tick), source.time_of(tick))
        is_same = row.source == self.market.source_name
        return _quote(rules, store.ladder_of(row.ladder) if is_same else Ladder(), row.tick_at)

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime
    ) -> Sequence[VenueCandle] | None:
        """Return candles that have ended; writes nothing. Raises NoCandlesError."""
        rules = await self.rules(symbol)
        if rules is None:
            return None
        source = self.market.source
        if source is None:
            raise NoCandlesError(
                "prices are posted at the paper venue (PAPER_PRICES=posted), and time stands still"
                " between them: there are no candles of them"
            )
        first = timeframe.begin(start - _MICROSECOND) + timeframe.length
        last = min(
            timeframe.begin(await self.now()),
            timeframe.begin(end - _MICROSECOND) + timeframe.length,
        )
        begin, stop = (int(at.timestamp()) for at in (first, last))
        return await source.candles(rules, timeframe, begin, stop)

    async def deposited(self, account_id: UUID, transfer_id: str) -> bool:
        key = {"account_id": account_id, "transfer_id": transfer_id}
        return await self._row(_TRANSFER, key) is not None

    async def now(self) -> datetime:
        async with self._reading() as session:
            return await self.market.now(session)

    # --- Time passes -----------------------------------------------------------------------------

    async def advance_all(self) -> None:
        """Catch up wherever an order waits; what another replica is at is left to it."""
        await self._catch_up(_WITH_OPEN_ORDERS, {}, skip_locked=True)

    async def advance(self, symbol: str) -> None:
        """Catch up with the ticks of a symbol."""
        async with self._reading() as session:
            row = (await session.execute(_INSTRUMENT, {"symbol": symbol})).one()
        await self._go_on(row)

    async def _advance_for(self, account_id: UUID) -> None:
        await self._catch_up(_WITH_OPEN_ORDERS_OF, {"account_id": account_id})

    async def _catch_up(
        self, query: Select[*tuple[Any, ...]], values: dict[str, Any], *, skip_locked: bool = False
    ) -> None:
        """Catch up with the symbols that a query names."""
        if self.market.source is None:
            return
        async with self._reading() as session:
            rows = (await session.execute(query, values)).all()
        for row in rows:
            await self._go_on(row, skip_locked=skip_locked)

    async def _go_on(self, row: Row[Any], *, skip_locked: bool = False) -> None:
        if is_current(self.market, row, self.market.now_of(row)):
            return

        async def nothing(turn: Turn) -> None:
            pass

        await self._in_turns(row.symbol, nothing, skip_locked=skip_locked)

    async def rules(self, symbol: str) -> Rules | None:
        """Return the rules of a symbol, which the venue learns when it is first asked for it.

        None, if nobody knows it, or if it is none that the venue can trade.
        """
        if symbol in self._known:
            return self._known[symbol]
        row = await self._row(_INSTRUMENT, {"symbol": symbol})
        try:
            rules = store.rules_of(row) if row is not None else await self._find_rules(symbol)
        except ValueError as error:
            _log.warning("instrument not traded", symbol=symbol, reason=str(error))
            return None
        if rules is None:
            return None
        if row is None:
            values = {name: getattr(rules, name) for name in Rules.__slots__}

            async def learn(tx: AsyncSession) -> None:
                await tx.execute(insert(instruments).values(values).on_conflict_do_nothing())

            await run_in_transaction(self._sessions, learn)
        self._known[symbol] = rules
        return rules

    async def _in_turns(
        self,
        symbol: str,
        act: Callable[[Turn], Awaitable[T]],
        *,
        account_id: UUID | None = None,
        posted: PostedQuote | None = None,
        skip_locked: bool = False,
    ) -> T | None:
        """Await `act(turn)` at the instrument's current tick, and return its result.

        None, if somebody else has the turn and `skip_locked`.
        """
        walk = Walk()

        async def once(tx: AsyncSession) -> tuple[bool, T | None, frozenset[UUID]]:
            turn = await take_turn(
                tx,
                self.market,
                symbol,
                walk,
                account_id=account_id,
                posted=posted,
                skip_locked=skip_locked,
            )
            if turn is None:
                return False, None, frozenset()
            result = None if turn.is_behind else await act(turn)
            return turn.is_behind, result, await turn.save(self.market.source_name)

        while True:
            await self._prepare(symbol)
            is_behind, result, changed = await run_in_transaction(self._sessions, once)
            if changed and self._on_change is not None:
                self._on_change(changed)
            if not is_behind:
                return result

    async def _prepare(self, symbol: str) -> None:
        """Have the source read what it needs for the ticks that were not looked at yet."""
        source = self.market.source
        if source is None or source.is_prepared:
            return
        async with self._reading() as session:
            row = (await session.execute(_INSTRUMENT, {"symbol": symbol})).one()
        current = source.tick_at(self.market.now_of(row))
        last = row.last_tick if row.source == source.name else current
        await source.prepare(store.rules_of(row), last, current)

    async def _row(
        self, query: Select[*tuple[Any, ...]], values: dict[str, Any]
    ) -> Row[Any] | None:
        async with self._reading() as session:
            return (await session.execute(query, values)).one_or_none()


_ORDER = select(orders).where(
    orders.c.account_id == bindparam("account_id"),
    orders.c.venue_client_id == bindparam("venue_client_id"),
)
_BEFORE_PLACING = select(
    _ORDER.exists().label("is_known"), NOW, order_numbers.next_value().label("n")
)
_TRANSFER = select(transfers).where(
    transfers.c.account_id == bindparam("account_id"),
    transfers.c.transfer_id == bindparam("transfer_id"),
)
_INSTRUMENT = select(instruments, NOW).where(instruments.c.symbol == bindparam("symbol"))


def _with_open_orders(*which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    waits = exists().where(orders.c.symbol == instruments.c.symbol, store.IS_OPEN, *which)
    return select(instruments, NOW).where(waits).order_by(instruments.c.symbol)


_WITH_OPEN_ORDERS = _with_open_orders()
_WITH_OPEN_ORDERS_OF = _with_open_orders(orders.c.account_id == bindparam("account_id"))
_FILLS = (
    select(fills, orders.c.venue_client_id, orders.c.side, instruments.c.last_tick, NOW)
    .join(orders, orders.c.number == fills.c.order_number)
    .join(instruments, instruments.c.symbol == fills.c.symbol)
)
_FILLS_AFTER = _FILLS.where(
    fills.c.account_id == bindparam("account_id"), fills.c.number > bindparam("after")
).order_by(fills.c.number)


def _venue_order(row: Row[Any]) -> VenueOrder:
    return VenueOrder(
        account_id=row.account_id,
        venue_client_id=row.venue_client_id,
        venue_order_id=str(row.number),
        symbol=row.symbol,
        side=row.side,
        type=row.type,
        time_in_force=row.time_in_force,
        qty=row.qty,
        limit_price=row.limit_price,
        post_only=row.post_only,
        status=row.status,
        filled_qty=row.filled_qty,
        reason=row.reason,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _venue_fill(row: Row[Any]) -> VenueFill:
    return VenueFill(
        account_id=row.account_id,
        venue_client_id=row.venue_client_id,
        venue_order_id=str(row.order_number),
        symbol=row.symbol,
        trade_id=str(row.trade_id),
        side=row.side,
        qty=row.qty,
        price=row.price,
        fee=row.fee,
        fee_currency=row.fee_currency,
        liquidity=row.liquidity,
        created_at=row.created_at,
        cursor=str(row.number),
    )


def _quote(rules: Rules, ladder: Ladder, at: datetime) -> Quote:
    bid, ask = (
        next((level for level in side if level.size), None) for side in (ladder.bids, ladder.asks)
    )
    known = [level.price for level in (bid, ask) if level is not None]
    last = None
    if known:
        with exact():
            increments = sum(known) // (len(known) * rules.price_increment)
            last = increments * rules.price_increment
    return Quote(
        symbol=rules.symbol,
        bid=bid.price if bid else None,
        bid_qty=bid.size if bid else None,
        ask=ask.price if ask else None,
        ask_qty=ask.size if ask else None,
        last=last,
        at=at,
    )
