"""Reads and writes of the venue: rows as orders, ladders and funds, and back."""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Row, Uuid, and_, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from ...market.money import plain
from ...market.words import Side
from ..client import VenueOrderStatus
from .funds import Balance, Funds
from .matching import Ladder, Level, Order, Rules
from .sources import Best
from .tables import accounts, balances, fills, instruments, orders

IS_OPEN = orders.c.status.in_([VenueOrderStatus.NEW, VenueOrderStatus.PARTIALLY_FILLED])


# --- Instruments ---------------------------------------------------------------------------------


def rules_of(row: Row[Any]) -> Rules:
    return Rules(
        row.symbol, row.base_currency, row.quote_currency, row.price_increment, row.size_increment
    )


def ladder_of(value: dict[str, list[list[str]]]) -> Ladder:
    bids, asks = (
        [Level(Decimal(price), Decimal(size)) for price, size in value[side]]
        for side in ("bids", "asks")
    )
    return Ladder(bids, asks)


def ladder_to_store(ladder: Ladder) -> dict[str, list[list[str]]]:
    """Return what is left of the ladder, as JSON."""
    return {
        side: [[plain(level.price), plain(level.size)] for level in levels if level.size]
        for side, levels in (("bids", ladder.bids), ("asks", ladder.asks))
    }


# --- Orders --------------------------------------------------------------------------------------


def order_of(row: Row[Any]) -> Order:
    return Order(
        number=row.number,
        account=row.account_id,
        side=row.side,
        type=row.type,
        time_in_force=row.time_in_force,
        qty=row.qty,
        limit_price=row.limit_price,
        post_only=row.post_only,
        worst_price=row.worst_price,
        status=row.status,
        filled_qty=row.filled_qty,
        reason=row.reason,
    )


async def resting_prices(tx: AsyncSession, symbol: str) -> Best:
    """Return the highest price that an open order buys at, and the lowest that one sells at."""
    highest = func.max(orders.c.limit_price).filter(orders.c.side == Side.BUY)
    lowest = func.min(orders.c.limit_price).filter(orders.c.side == Side.SELL)
    query = select(highest, lowest).where(orders.c.symbol == symbol, IS_OPEN)
    buy, sell = (await tx.execute(query)).one()
    return buy, sell


async def orders_within_reach(
    tx: AsyncSession, symbol: str, highest_bid: Decimal | None, lowest_ask: Decimal | None
) -> list[Order]:
    """Return the open orders that one of these prices fills, by their arrival."""
    reached = []
    if lowest_ask is not None:
        reached.append(and_(orders.c.side == Side.BUY, orders.c.limit_price >= lowest_ask))
    if highest_bid is not None:
        reached.append(and_(orders.c.side == Side.SELL, orders.c.limit_price <= highest_bid))
    query = select(orders).where(orders.c.symbol == symbol, IS_OPEN, or_(*reached))
    return [order_of(row) for row in await tx.execute(query.order_by(orders.c.number))]


_SAVE_ORDER = (
    update(orders)
    .where(orders.c.number == bindparam("of"))
    .values({name: bindparam(name) for name in ("status", "filled_qty", "reason", "updated_at")})
)


async def save_orders(tx: AsyncSession, changed: Iterable[Order], at: Any) -> None:
    rows = [
        {
            "of": order.number,
            "status": order.status,
            "filled_qty": order.filled_qty,
            "reason": order.reason,
            "updated_at": at,
        }
        for order in changed
    ]
    if rows:
        await tx.execute(_SAVE_ORDER, rows)


# --- Accounts and their money --------------------------------------------------------------------


_new_accounts = insert(accounts).from_select(
    ["account_id"],
    select(func.unnest(bindparam("ids", type_=ARRAY(Uuid())))),
    include_defaults=False,
)
_LOCK_ACCOUNTS: Final = _new_accounts.on_conflict_do_update(
    index_elements=["account_id"], set_={"account_id": _new_accounts.excluded.account_id}
).returning(accounts.c.account_id, accounts.c.fills)


async def lock_accounts(tx: AsyncSession, account_ids: Collection[UUID]) -> dict[UUID, int]:
    """Lock accounts, in one order everywhere, and return how many fills each has had."""
    if not account_ids:
        return {}
    rows = await tx.execute(_LOCK_ACCOUNTS, {"ids": sorted(account_ids)})
    return {row.account_id: row.fills for row in rows}


_FUNDS: Final = select(balances).where(
    balances.c.account_id.in_(bindparam("accounts", expanding=True)),
    balances.c.currency.in_(bindparam("currencies", expanding=True)),
)


async def read_funds(
    tx: AsyncSession, account_ids: Collection[UUID], currencies: Sequence[str]
) -> Funds:
    """Return the money of accounts that are locked."""
    funds = Funds()
    if account_ids:
        values = {"accounts": list(account_ids), "currencies": list(currencies)}
        for row in await tx.execute(_FUNDS, values):
            funds[row.account_id, row.currency] = Balance(row.free, row.frozen)
    return funds


_new_funds = insert(balances)
_SAVE_FUNDS: Final = _new_funds.on_conflict_do_update(
    index_elements=["account_id", "currency"],
    set_={name: _new_funds.excluded[name] for name in ("free", "frozen")},
)


async def save_funds(tx: AsyncSession, funds: Funds) -> None:
    rows = [
        {"account_id": account, "currency": currency, "free": money.free, "frozen": money.frozen}
        for (account, currency), money in funds.items()
    ]
    if rows:
        await tx.execute(_SAVE_FUNDS, rows)


_COUNT_FILLS: Final = (
    update(accounts).where(accounts.c.account_id == bindparam("of")).values(fills=bindparam("had"))
)


async def count_fills(tx: AsyncSession, counts: dict[UUID, int]) -> None:
    """Store how many fills the accounts have had."""
    if counts:
        await tx.execute(_COUNT_FILLS, [{"of": key, "had": had} for key, had in counts.items()])


_NEW_FILLS: Final = insert(fills)


async def save_fills(tx: AsyncSession, rows: list[dict[str, Any]]) -> None:
    if rows:
        await tx.execute(_NEW_FILLS, rows)


_NEW_ORDERS: Final = insert(orders)


async def add_orders(tx: AsyncSession, rows: list[dict[str, Any]]) -> None:
    await tx.execute(_NEW_ORDERS, rows)


_STATE = ("source", "last_tick", "tick_at", "trades", "ladder")
_SAVE_INSTRUMENT: Final = (
    update(instruments)
    .where(instruments.c.symbol == bindparam("of"))
    .values({name: bindparam(name) for name in _STATE})
)


async def save_instrument(tx: AsyncSession, symbol: str, **state: Any) -> None:
    """Store the instrument's state, each of `_STATE`."""
    await tx.execute(_SAVE_INSTRUMENT, {"of": symbol, **state})
