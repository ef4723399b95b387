"""Settlement: what the exchange reports of orders and fills, in the books.

Everything here may be called again with the same report, in whatever order reports come, and ends
in the same state. It joins the caller's transaction, and locks the account's books first.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import Integer, bindparam, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from ..core.database.transactions import after_commit, transactional
from ..exchanges.client import VenueFill, VenueOrder, VenueOrderStatus
from ..market.instruments import Instrument
from ..market.money import MAX_AMOUNT, cost, exact, proceeds
from ..market.words import Side
from . import metrics
from .account_books import AccountBooks, lock_books
from .balances import lock_balances
from .events import EventType, NewEvent, record
from .fills import IN_ORDER, Fill, FillFlag, fill_event, fill_id, get_fill, trade_of
from .ledger import Bucket, Entry, EntryKind, post
from .orders.events import changed, record_order
from .orders.model import Order
from .orders.queries import lock_order
from .orders.states import OrderStatus, checked_change
from .positions import Holding, Position, Trade, fold, lock_position, position_event
from .wakes import wake_account

_log = structlog.get_logger(__name__)

_AT_THE_VENUE = {
    VenueOrderStatus.FILLED: OrderStatus.FILLED,
    VenueOrderStatus.CANCELED: OrderStatus.CANCELED,
    VenueOrderStatus.REJECTED: OrderStatus.REJECTED,
    VenueOrderStatus.EXPIRED: OrderStatus.EXPIRED,
}


async def apply_fill(session: AsyncSession, venue: str, reported: VenueFill) -> Fill | None:
    """Store the fill and book it: money, order, position, events. None: nothing is new.

    One that can't be booked is stored too, with a flag, counted and logged as an error.
    """
    async with transactional(session, nested="join"):
        books = await lock_books(session, reported.account_id)
        name = fill_id(reported.account_id, venue, reported.symbol, reported.trade_id)
        known = await get_fill(session, reported.account_id, name)
        if known is not None:
            if not _is_same(known, reported):
                _flag(session, known, "conflict", reported=repr(reported))
            if known.flag is not FillFlag.UNFUNDED:
                return None
        order = await _order_of(session, reported)
        fill = known or _new_fill(name, venue, reported, order)
        is_new = await _store(session, books, fill, order, is_known=known is not None)
        return fill if is_new else None


async def book_unfunded(session: AsyncSession, account_id: UUID) -> int:
    """Book what the account had too little for, where it has enough now; return how many fills.

    One may bring what another one costs.
    """
    query = select(Fill).where(Fill.account_id == account_id, Fill.flag == FillFlag.UNFUNDED)
    count = 0
    async with transactional(session, nested="join"):
        if not await session.scalar(select(query.exists())):
            return 0  # mostly, and nobody is locked out for it
        books = await lock_books(session, account_id)
        while True:
            before = count
            fills = await session.scalars(
                query.order_by(*IN_ORDER), execution_options={"populate_existing": True}
            )
            for fill in fills.all():
                order = await _order_of(session, fill)
                count += await _store(session, books, fill, order, is_known=True)
            if count == before:
                return count


async def apply_report(session: AsyncSession, reported: VenueOrder) -> None:
    """Move the order to the state that the exchange has it in.

    Its end is applied once all its fills are stored: they come by their own way. A report that is
    older than what we know changes nothing, nor does one of an order that is not ours.
    """
    async with transactional(session, nested="join"):
        books = await lock_books(session, reported.account_id)
        order = await _order_of(session, reported)
        if order is None:
            return
        before = order.status, order.venue_order_id
        order.venue_order_id = reported.venue_order_id
        if order.status.is_open:
            if reported.status.is_final and await _has_all_fills(session, order, reported):
                status = _AT_THE_VENUE[reported.status]
                await _end(session, books, order, status, reported.reason)
                return
            if order.status is OrderStatus.PENDING_NEW:
                order.status = checked_change(order.status, OrderStatus.NEW)
        if (order.status, order.venue_order_id) != before:
            await record_order(session, order)
            wake_account(session, order.account_id)


async def accept(
    session: AsyncSession, account_id: UUID, order_id: UUID, venue_order_id: str
) -> None:
    """Note that the exchange has taken the order. One that was filled meanwhile stays so."""
    async with transactional(session, nested="join"):
        await lock_books(session, account_id)
        order = await lock_order(session, account_id, order_id)
        if order is None:
            return
        before = order.status, order.venue_order_id
        order.venue_order_id = venue_order_id
        if order.status is OrderStatus.PENDING_NEW:
            order.status = checked_change(order.status, OrderStatus.NEW)
        if (order.status, order.venue_order_id) != before:
            await record_order(session, order)
            wake_account(session, account_id)


async def reject(session: AsyncSession, account_id: UUID, order_id: UUID, reason: str) -> None:
    """End the order because the exchange refused it. One that has ended stays as it is."""
    async with transactional(session, nested="join"):
        books = await lock_books(session, account_id)
        order = await lock_order(session, account_id, order_id)
        if order is not None and order.status.is_open:
            await _end(session, books, order, OrderStatus.REJECTED, reason)


async def end(session: AsyncSession, order: Order, status: OrderStatus, reason: str | None) -> None:
    """End the open order: give back what it holds, and tell. `status` is a final one.

    Raises ForbiddenTransitionError where the order can't become that.
    """
    async with transactional(session, nested="join"):
        books = await lock_books(session, order.account_id)
        await session.refresh(order, with_for_update=True)
        await _end(session, books, order, status, reason)


# --- The order -----------------------------------------------------------------------------------


async def _order_of(session: AsyncSession, reported: VenueFill | VenueOrder | Fill) -> Order | None:
    """Return the order that a report is about, locked; None if it is none of ours."""
    try:
        order_id = UUID(hex=reported.venue_client_id)
    except ValueError:
        return None
    order = await lock_order(session, reported.account_id, order_id)
    if order is None or (order.symbol, order.side) != (reported.symbol, reported.side):
        return None
    return order


async def _has_all_fills(session: AsyncSession, order: Order, reported: VenueOrder) -> bool:
    """Tell whether every fill of the order is stored; those with a flag are, too."""
    query = select(func.coalesce(func.sum(Fill.qty), 0)).where(
        Fill.account_id == order.account_id, Fill.order_id == order.id
    )
    return await session.scalar(query) == reported.filled_qty


async def _end(
    session: AsyncSession,
    books: AccountBooks,
    order: Order,
    status: OrderStatus,
    reason: str | None,
) -> None:
    leaves, freed = order.leaves_qty, order.held
    order.status = checked_change(order.status, status)
    order.reason_code, order.held = reason, Decimal(0)
    books.open_orders -= 1
    if status is OrderStatus.CANCELED:
        order.canceled_at = await _now(session)
    with exact():
        entries = _moved(Bucket.HELD, Bucket.AVAILABLE, order.held_currency, freed)
    await post(session, order.account_id, EntryKind.VOID, entries, order_id=order.id)
    position = await lock_position(session, order.account_id, order.symbol)
    _no_longer_open(position, order.side, leaves)
    await session.flush()
    await record_order(session, order)
    wake_account(session, order.account_id)


async def _now(session: AsyncSession) -> datetime:
    """Return the time of the transaction, by the database's clock."""
    return (await session.scalars(select(func.now()))).one()


def _no_longer_open(position: Position, side: Side, qty: Decimal) -> None:
    with exact():
        if side is Side.BUY:
            position.buying -= qty
        else:
            position.selling -= qty


def _moved(source: Bucket, target: Bucket, currency: str, amount: Decimal) -> list[Entry]:
    return [Entry(source, currency, -amount), Entry(target, currency, amount)]


# --- The fill ------------------------------------------------------------------------------------


def _new_fill(name: UUID, venue: str, reported: VenueFill, order: Order | None) -> Fill:
    return Fill(
        id=name,
        venue=venue,
        order_id=None if order is None else order.id,
        **{name: getattr(reported, name) for name in _AS_REPORTED},
    )


_AS_REPORTED = (
    *("account_id", "symbol", "trade_id", "venue_client_id", "venue_order_id", "side", "qty"),
    *("price", "fee", "fee_currency", "liquidity", "created_at"),
)


def _is_same(fill: Fill, reported: VenueFill) -> bool:
    names = ("venue_client_id", "side", "qty", "price", "fee", "fee_currency")
    return all(getattr(fill, name) == getattr(reported, name) for name in names)


def _flag(session: AsyncSession, fill: Fill, flag: FillFlag | str | None, **more: str) -> None:
    """Have somebody look at the fill, once the transaction is committed."""
    names = ("id", "account_id", "symbol", "trade_id", "venue_order_id")
    facts = {f"fill_{name}": str(getattr(fill, name)) for name in names} | more

    def tell() -> None:
        metrics.FLAGGED.labels(flag).inc()
        _log.error("fill_flagged", flag=str(flag), **facts)

    after_commit(session, tell)


async def _store(
    session: AsyncSession,
    books: AccountBooks,
    fill: Fill,
    order: Order | None,
    *,
    is_known: bool,
) -> bool:
    """Book the fill, or flag it, and tell; False where it is known and nothing is new."""
    booked = await _book(session, books, fill, order)
    flag = booked if isinstance(booked, FillFlag) else None
    if is_known and flag is fill.flag:
        return False
    fill.flag = flag
    told = [NewEvent(EventType.FILL, fill_event(fill, order), fill.order_id)]
    if isinstance(booked, FillFlag):
        session.add(fill)
        _flag(session, fill, flag)
    else:
        await _move_position(session, booked.position, booked.instrument, fill)
        data = position_event(booked.position, booked.instrument)
        told += [changed(booked.order), NewEvent(EventType.POSITION, data)]
        after_commit(session, metrics.BOOKED.labels(fill.symbol, fill.side).inc)
    await session.flush()
    await record(session, fill.account_id, *told)
    wake_account(session, fill.account_id)
    return True


class _Booked(NamedTuple):
    """Rows that a fill is booked on, locked but for the instrument."""

    order: Order
    position: Position
    instrument: Instrument


async def _book(
    session: AsyncSession, books: AccountBooks, fill: Fill, order: Order | None
) -> _Booked | FillFlag:
    """Book the fill on the order and in the ledger, or return why it can't be."""
    if order is None:
        return FillFlag.UNKNOWN_ORDER
    with exact():
        filled = order.filled_qty + fill.qty
        leaves = order.qty - filled
    if leaves < 0:
        return FillFlag.OVERFILL
    instrument = await session.get_one(Instrument, order.symbol)
    was_open = order.status.is_open
    status = _status_after(order.status, leaves)
    held = order.hold_for(leaves) if status.is_open else Decimal(0)
    notional = _notional(fill)
    with exact():
        entries = _entries_of(fill, instrument, order, order.held - held, notional)
        total = order.filled_notional + notional
    if not await _are_funded(session, order.account_id, entries):
        return FillFlag.UNFUNDED
    order.status, order.held = checked_change(order.status, status), held
    order.filled_qty, order.filled_notional = filled, total
    order.venue_order_id = order.venue_order_id or fill.venue_order_id
    if was_open and not status.is_open:
        books.open_orders -= 1
    elif status is OrderStatus.FILLED:  # so it was not canceled after all
        order.reason_code = order.canceled_at = None
    await post(
        session,
        order.account_id,
        EntryKind.POST,
        entries,
        order_id=order.id,
        fill_id=fill.id,
    )
    position = await lock_position(session, order.account_id, order.symbol)
    if was_open:
        _no_longer_open(position, order.side, fill.qty)
    return _Booked(order, position, instrument)


def _notional(fill: Fill) -> Decimal:
    """Money that the fill has cost or brought, without its fee."""
    of = cost if fill.side is Side.BUY else proceeds
    return of(fill.qty, fill.price)


def _status_after(status: OrderStatus, leaves: Decimal) -> OrderStatus:
    """Return the status of an order after a fill that leaves so much.

    A cancellation that is asked for stays so until the exchange has said how it went. What has
    ended stays ended, unless a late fill makes a canceled order a filled one.
    """
    if not leaves and (status.is_open or status is OrderStatus.CANCELED):
        return OrderStatus.FILLED
    if status in (OrderStatus.PENDING_NEW, OrderStatus.NEW):
        return OrderStatus.PARTIALLY_FILLED
    return status


def _entries_of(
    fill: Fill, instrument: Instrument, order: Order, freed: Decimal, notional: Decimal
) -> list[Entry]:
    """Return the movements of a fill: hold, goods, money, fee; call it within `exact()`."""
    base, quote = instrument.base_currency, instrument.quote_currency
    gives, given, takes, taken = (
        (quote, notional, base, fill.qty)
        if fill.side is Side.BUY
        else (base, fill.qty, quote, notional)
    )
    sums: dict[tuple[str, Bucket], Decimal] = {}
    for entry in (
        *_moved(Bucket.HELD, Bucket.AVAILABLE, order.held_currency, freed),
        *_moved(Bucket.AVAILABLE, Bucket.TRADE, gives, given),
        *_moved(Bucket.TRADE, Bucket.AVAILABLE, takes, taken),
        *_moved(Bucket.AVAILABLE, Bucket.FEE, fill.fee_currency, fill.fee),
    ):
        key = entry.currency, entry.bucket
        sums[key] = sums.get(key, Decimal(0)) + entry.amount
    return [Entry(bucket, currency, amount) for (currency, bucket), amount in sums.items()]


async def _are_funded(session: AsyncSession, account_id: UUID, entries: Iterable[Entry]) -> bool:
    """Tell whether the balances can move so: none below zero, none above what a column holds."""
    changes = {(entry.currency, entry.bucket): entry.amount for entry in entries}
    currencies = {entry.currency for entry in entries}
    balances = await lock_balances(session, account_id, currencies)
    nothing = Decimal(0)
    for currency in currencies:
        balance = balances.get(currency)
        with exact():
            available = changes.get((currency, Bucket.AVAILABLE), nothing)
            held = changes.get((currency, Bucket.HELD), nothing)
            if balance is not None:
                available, held = available + balance.available, held + balance.held
            if available < 0 or held < 0 or available + held >= MAX_AMOUNT:
                return False
    return True


# --- The position --------------------------------------------------------------------------------


async def _move_position(
    session: AsyncSession, position: Position, instrument: Instrument, fill: Fill
) -> None:
    """Fold the fill into the position, as if it had come when it happened."""
    with session.no_autoflush:  # all that it changes is stored by one statement
        is_newest = await _is_newest(session, fill)
    session.add(fill)
    if is_newest:
        position.holding = fold(position.holding, _trade(fill, instrument))
    else:
        await session.flush()
        position.holding = await _folded(session, fill.account_id, instrument)
    position.updated_at = func.now()


def _trade(fill: Fill, instrument: Instrument) -> Trade:
    return trade_of(fill, instrument.base_currency, instrument.quote_currency)


_IS_LATER = select(
    select(Fill.id)
    .where(
        Fill.account_id == bindparam("account_id"),
        Fill.symbol == bindparam("symbol"),
        Fill.flag.is_(None),
        tuple_(*IN_ORDER)
        > tuple_(
            bindparam("created_at", type_=Fill.created_at.type),
            bindparam("length", type_=Integer),
            bindparam("trade_id", type_=Fill.trade_id.type),
        ),
    )
    .exists()
)


async def _is_newest(session: AsyncSession, fill: Fill) -> bool:
    values = {name: getattr(fill, name) for name in ("account_id", "symbol", "created_at")}
    values |= {"trade_id": fill.trade_id, "length": len(fill.trade_id)}
    return not await session.scalar(_IS_LATER, values)


async def _folded(session: AsyncSession, account_id: UUID, instrument: Instrument) -> Holding:
    """Fold all fills of the instrument again."""
    query = (
        select(Fill)
        .where(Fill.account_id == account_id, Fill.symbol == instrument.symbol)
        .where(Fill.flag.is_(None))
        .order_by(*IN_ORDER)
    )
    holding = Holding()
    async for fill in await session.stream_scalars(query):
        holding = fold(holding, _trade(fill, instrument))
    return holding
