"""The ledger: every movement of money, twice, so that nothing comes from nowhere.

Each transaction sums to zero in each currency, rows are only added, and a balance is the sum of
its entries. An order's hold is `pending`; a fill posts a part of it, its end voids the rest
(TigerBeetle's two-phase transfers).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Final, cast
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    String,
    Table,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id, one_of, words
from ..market.columns import AMOUNT
from ..market.money import exact
from .balances import move


class EntryKind(StrEnum):
    """Kinds of transactions: what a balance began with, a deposit, a hold, its use, its return."""

    OPENING = "opening"
    DEPOSIT = "deposit"
    PENDING = "pending"
    POST = "post"
    VOID = "void"


class Bucket(StrEnum):
    """Sides of a transaction.

    The account's own money is `available` or `held`. What it is exchanged with is `trade`, what
    the exchange charges `fee`, and where deposits come from `external`.
    """

    AVAILABLE = "available"
    HELD = "held"
    TRADE = "trade"
    FEE = "fee"
    EXTERNAL = "external"


class LedgerEntry(Base):
    """A table of movements, which only grows. Rows with one `transaction_id` belong together."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        one_of("kind", EntryKind),
        one_of("bucket", Bucket),
        CheckConstraint("amount > -1e20 AND amount < 1e20 AND amount <> 0", name="amount_range"),
        Index("ix_ledger_entries_of_order", "account_id", "order_id"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    transaction_id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    n: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    kind: Mapped[EntryKind] = mapped_column(words(EntryKind, 16))
    bucket: Mapped[Bucket] = mapped_column(words(Bucket, 16))
    currency: Mapped[str] = mapped_column(String(16))
    amount: Mapped[Decimal] = mapped_column(AMOUNT)
    order_id: Mapped[UUID | None]
    fill_id: Mapped[UUID | None]
    deposit_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


@dataclass(frozen=True, slots=True)
class Entry:
    """A movement of `amount` of a currency into a bucket; negative: out of it."""

    bucket: Bucket
    currency: str
    amount: Decimal


# Of the table: as a list of rows it is compiled once, and needs no answer.
_ENTER: Final = insert(cast(Table, LedgerEntry.__table__))


async def post(
    session: AsyncSession,
    account_id: UUID,
    kind: EntryKind,
    entries: Iterable[Entry],
    *,
    order_id: UUID | None = None,
    fill_id: UUID | None = None,
    deposit_id: UUID | None = None,
) -> UUID | None:
    """Write a transaction and move the balances by it; return its id, None if it moves nothing.

    Call it with the account's books locked. Raises TradingException BALANCE_ABOVE_MAXIMUM, and
    IntegrityError where a balance would become negative.
    """
    entries = [entry for entry in entries if entry.amount]
    if not entries:
        return None
    sums: dict[str, Decimal] = {}
    moves: dict[str, dict[Bucket, Decimal]] = {}
    with exact():
        for entry in entries:
            sums[entry.currency] = sums.get(entry.currency, Decimal(0)) + entry.amount
            own = moves.setdefault(
                entry.currency, {Bucket.AVAILABLE: Decimal(0), Bucket.HELD: Decimal(0)}
            )
            if entry.bucket in own:
                own[entry.bucket] += entry.amount
    assert not any(sums.values()), f"a transaction must sum to zero, not to {sums}"
    transaction_id = new_id()
    rows = [
        {
            "account_id": account_id,
            "transaction_id": transaction_id,
            "n": n,
            "kind": kind,
            "bucket": entry.bucket,
            "currency": entry.currency,
            "amount": entry.amount,
            "order_id": order_id,
            "fill_id": fill_id,
            "deposit_id": deposit_id,
        }
        for n, entry in enumerate(entries)
    ]
    await session.execute(_ENTER, rows)
    for currency, own in sorted(moves.items()):
        if any(own.values()):
            await move(session, account_id, currency, own[Bucket.AVAILABLE], own[Bucket.HELD])
    return transaction_id


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """A transaction of the ledger, whole."""

    id: UUID
    kind: EntryKind
    order_id: UUID | None
    fill_id: UUID | None
    deposit_id: UUID | None
    created_at: datetime
    entries: Sequence[Entry]


async def list_transactions(
    session: AsyncSession, account_id: UUID, *, after: UUID | None = None, limit: int
) -> list[LedgerTransaction]:
    """Return at most `limit` transactions, newest first, from the one that follows `after`."""
    newest = select(LedgerEntry.transaction_id).where(
        LedgerEntry.account_id == account_id, LedgerEntry.n == 0
    )
    if after is not None:
        newest = newest.where(LedgerEntry.transaction_id < after)
    newest = newest.order_by(LedgerEntry.transaction_id.desc()).limit(limit)
    query = (
        select(LedgerEntry)
        .where(LedgerEntry.account_id == account_id, LedgerEntry.transaction_id.in_(newest))
        .order_by(LedgerEntry.transaction_id.desc(), LedgerEntry.n)
    )
    rows = groupby(await session.scalars(query), key=lambda row: row.transaction_id)
    return [_transaction(list(entries)) for _, entries in rows]


def _transaction(rows: Sequence[LedgerEntry]) -> LedgerTransaction:
    first = rows[0]
    return LedgerTransaction(
        id=first.transaction_id,
        kind=first.kind,
        order_id=first.order_id,
        fill_id=first.fill_id,
        deposit_id=first.deposit_id,
        created_at=first.created_at,
        entries=[Entry(row.bucket, row.currency, row.amount) for row in rows],
    )
