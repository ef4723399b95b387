"""Accounts: whose money it is."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints
from sqlalchemy import DateTime, String, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id, one_of, words
from ..core.errors import TradingException
from .account_books import open_books
from .codes import TradingErrorCode

AccountName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class AccountMode(StrEnum):
    """Venues that an account trades on. `paper`: a simulated one."""

    PAPER = "paper"


class Account(Base):
    """A table of accounts. A key, an order and a balance belong to one each."""

    __tablename__ = "accounts"
    __table_args__ = (one_of("mode", AccountMode),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    mode: Mapped[AccountMode] = mapped_column(words(AccountMode, 8), default=AccountMode.PAPER)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


async def create_account(
    session: AsyncSession, name: str, mode: AccountMode = AccountMode.PAPER
) -> Account:
    """Create an account with its books, without money. Raises TradingException ACCOUNT_EXISTS."""
    account: Account | None = await session.scalar(
        insert(Account)
        .values(name=name, mode=mode)
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(Account)
    )
    if account is None:
        raise TradingException(
            TradingErrorCode.ACCOUNT_EXISTS, f"There is an account {name!r} already", {"name": name}
        )
    await open_books(session, account.id)
    return account


async def list_accounts(session: AsyncSession, *, limit: int | None = None) -> list[Account]:
    """Return every account by name, or the first `limit` of them."""
    return list(await session.scalars(select(Account).order_by(Account.name).limit(limit)))


async def get_account(session: AsyncSession, name: str) -> Account:
    """Return the account of that name. Raises TradingException ACCOUNT_NOT_FOUND."""
    account = await session.scalar(select(Account).where(Account.name == name))
    if account is None:
        raise TradingException(
            TradingErrorCode.ACCOUNT_NOT_FOUND, f"There is no account {name!r}", {"account": name}
        )
    return account


async def get_account_by_id(session: AsyncSession, account_id: UUID) -> Account:
    """Return the account of that id. Raises TradingException ACCOUNT_NOT_FOUND."""
    account = await session.get(Account, account_id)
    if account is None:
        raise TradingException(
            TradingErrorCode.ACCOUNT_NOT_FOUND,
            f"There is no account {account_id}",
            {"account_id": str(account_id)},
        )
    return account
