"""Deposits: money that comes into a paper account from outside."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import DateTime, ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id, one_of, words
from ..core.database.transactions import transactional
from ..core.errors import TradingException
from ..market.money import AMOUNT, bounded
from .balances import move as credit
from .codes import TradingErrorCode

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


@dataclass(frozen=True)
class DepositRequest:
    """A deposit as it was asked for; `client_deposit_id` is the asker's own name for it."""

    client_deposit_id: str
    currency: str
    amount: Decimal


async def book_deposit(
    session: AsyncSession, account_id: UUID, request: DepositRequest
) -> tuple[Deposit, bool]:
    """Store the deposit and add it to the balance, both or neither.

    Return it and whether it is new.

    In the caller's transaction, if there is one. The same request again returns the deposit it made
    the first time. Raises TradingException CLIENT_DEPOSIT_ID_REUSED or BALANCE_ABOVE_MAXIMUM.
    """
    async with transactional(session, nested="join"):
        # A concurrent request with the same id waits here until the other one has ended.
        made = await session.scalar(
            insert(Deposit)
            .values(id=new_id(), account_id=account_id, **asdict(request))
            .on_conflict_do_nothing(index_elements=["account_id", "client_deposit_id"])
            .returning(Deposit)
        )
        if made is None:
            return await _made_before(session, account_id, request), False
        await credit(session, account_id, request.currency, request.amount)
        return made, True


async def _made_before(session: AsyncSession, account_id: UUID, request: DepositRequest) -> Deposit:
    name = request.client_deposit_id
    query = select(Deposit).where(
        Deposit.account_id == account_id, Deposit.client_deposit_id == name
    )
    made = (await session.scalars(query)).one()
    different = [key for key, value in asdict(request).items() if getattr(made, key) != value]
    if different:
        raise TradingException(
            TradingErrorCode.CLIENT_DEPOSIT_ID_REUSED,
            f"client_deposit_id {name} belongs to a deposit with another {', '.join(different)}",
            {"client_deposit_id": name, "different": different},
        )
    return made
