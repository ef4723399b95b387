"""Deposits: money that comes into a paper account from outside."""

import asyncio
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import DateTime, ForeignKey, String, UniqueConstraint, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id, one_of, words
from ..core.database.transactions import transactional
from ..core.errors import TradingException
from ..exchanges.client import Accepted, ExchangeClient
from ..market.columns import AMOUNT, bounded
from ..market.money import MAX_AMOUNT, exact
from .account_books import lock_books
from .balances import above_maximum, lock_balances
from .codes import TradingErrorCode
from .ledger import Bucket, Entry, EntryKind, post
from .outbox import Command, CommandKind
from .wakes import wake_dispatcher

ClientDepositId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{1,64}$")]


class DepositStatus(StrEnum):
    """States of a deposit: on its way to the exchange, or in the books."""

    PENDING = "pending"
    BOOKED = "booked"


class Deposit(Base):
    """A table of deposits. Once booked, one is never changed."""

    __tablename__ = "deposits"
    __table_args__ = (
        UniqueConstraint("account_id", "client_deposit_id"),
        bounded("amount", "> 0"),
        one_of("status", DepositStatus),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    client_deposit_id: Mapped[str] = mapped_column(String(64))
    currency: Mapped[str] = mapped_column(String(16))
    amount: Mapped[Decimal] = mapped_column(AMOUNT)
    status: Mapped[DepositStatus] = mapped_column(
        words(DepositStatus, 8), default=DepositStatus.PENDING
    )
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())

    @property
    def transfer_id(self) -> str:
        """Name of the deposit at the exchange, which credits it once however often it is sent."""
        return self.id.hex


@dataclass(frozen=True)
class DepositRequest:
    """A deposit as it was asked for; `client_deposit_id` is the asker's own name for it."""

    client_deposit_id: str
    currency: str
    amount: Decimal


async def request_deposit(
    session: AsyncSession, account_id: UUID, request: DepositRequest
) -> tuple[Deposit, bool]:
    """Store the deposit and the command that sends it to the exchange, both or neither.

    Return it, pending, and whether it is new. The money comes with `book_deposit_confirmed`.

    In the caller's transaction, if there is one. The same request again returns the deposit it made
    the first time. Raises TradingException CLIENT_DEPOSIT_ID_REUSED or BALANCE_ABOVE_MAXIMUM.
    """
    async with transactional(session, nested="join"):
        # A concurrent request of the account waits here until the other one has ended.
        await lock_books(session, account_id)
        made = await _find(session, account_id, request.client_deposit_id)
        if made is not None:
            return _same(made, request), False
        await _check_fits(session, account_id, request)
        made = Deposit(id=new_id(), account_id=account_id, **asdict(request))
        command = Command(
            account_id=account_id,
            kind=CommandKind.DEPOSIT,
            deposit_id=made.id,
            transfer_id=made.transfer_id,
            currency=made.currency,
            amount=made.amount,
        )
        session.add_all([made, command])
        await session.flush()
        await session.refresh(made)
        wake_dispatcher(session)
        return made, True


async def book_deposit_confirmed(
    session: AsyncSession, account_id: UUID, deposit_id: UUID
) -> Deposit:
    """Book a deposit that the exchange has credited. Called again, it changes nothing.

    In the caller's transaction, if there is one. Raises TradingException BALANCE_ABOVE_MAXIMUM.
    """
    async with transactional(session, nested="join"):
        await lock_books(session, account_id)
        query = select(Deposit).where(Deposit.account_id == account_id, Deposit.id == deposit_id)
        deposit = (
            await session.scalars(query.with_for_update(), execution_options=_AS_IT_IS)
        ).one()
        if deposit.status is DepositStatus.PENDING:
            deposit.status = DepositStatus.BOOKED
            await session.flush()
            with exact():
                came_from = Entry(Bucket.EXTERNAL, deposit.currency, -deposit.amount)
            came_to = Entry(Bucket.AVAILABLE, deposit.currency, deposit.amount)
            await post(
                session,
                account_id,
                EntryKind.DEPOSIT,
                [came_from, came_to],
                deposit_id=deposit.id,
            )
        await session.execute(
            delete(Command).where(
                Command.account_id == account_id, Command.deposit_id == deposit_id
            )
        )
        return deposit


async def deposit_now(
    session: AsyncSession, exchange: ExchangeClient, account_id: UUID, request: DepositRequest
) -> tuple[Deposit, bool]:
    """Store the deposit, have the exchange credit it, and book it; return it and if it is new.

    For commands, which no dispatcher works for. Raises TradingException DEPOSIT_NOT_CONFIRMED
    where the exchange gave no good answer: the deposit stays pending, and may be asked for again.
    """
    async with transactional(session, durable=True):
        deposit, is_new = await request_deposit(session, account_id, request)
    if deposit.status is DepositStatus.PENDING:
        outcome = await exchange.deposit(
            account_id, deposit.transfer_id, deposit.currency, deposit.amount
        )
        if not isinstance(outcome, Accepted):
            raise TradingException(
                TradingErrorCode.DEPOSIT_NOT_CONFIRMED,
                f"The exchange did not confirm deposit {request.client_deposit_id}: {outcome}",
                {"client_deposit_id": request.client_deposit_id},
            )
        async with transactional(session, durable=True):
            deposit = await book_deposit_confirmed(session, account_id, deposit.id)
    return deposit, is_new


async def until_booked(
    session: AsyncSession, account_id: UUID, deposit_id: UUID, seconds: float
) -> Deposit:
    """Return the account's deposit once it is booked, or as it is after so many seconds."""
    query = select(Deposit).where(Deposit.account_id == account_id, Deposit.id == deposit_id)
    end = time.monotonic() + seconds
    while True:
        deposit = (await session.scalars(query, execution_options=_AS_IT_IS)).one()
        await session.commit()  # no connection is kept while it waits
        if deposit.status is DepositStatus.BOOKED or time.monotonic() >= end:
            return deposit
        await asyncio.sleep(_LOOK_SECONDS)


_LOOK_SECONDS = 0.05
_AS_IT_IS = {"populate_existing": True}


async def _find(session: AsyncSession, account_id: UUID, name: str) -> Deposit | None:
    query = select(Deposit).where(
        Deposit.account_id == account_id, Deposit.client_deposit_id == name
    )
    return await session.scalar(query, execution_options=_AS_IT_IS)


async def _check_fits(session: AsyncSession, account_id: UUID, request: DepositRequest) -> None:
    """Refuse what would not fit, together with what is still on its way."""
    pending = select(func.sum(Deposit.amount)).where(
        Deposit.account_id == account_id,
        Deposit.currency == request.currency,
        Deposit.status == DepositStatus.PENDING,
    )
    coming = await session.scalar(pending) or Decimal(0)
    balance = (await lock_balances(session, account_id, [request.currency])).get(request.currency)
    with exact():
        total = request.amount + coming + (balance.total if balance else Decimal(0))
    if total >= MAX_AMOUNT:
        raise above_maximum(request.currency, request.amount)


def _same(made: Deposit, request: DepositRequest) -> Deposit:
    name = request.client_deposit_id
    different = [key for key, value in asdict(request).items() if getattr(made, key) != value]
    if different:
        raise TradingException(
            TradingErrorCode.CLIENT_DEPOSIT_ID_REUSED,
            f"client_deposit_id {name} belongs to a deposit with another {', '.join(different)}",
            {"client_deposit_id": name, "different": different},
        )
    return made
