"""Accounts: whose money it is."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import DateTime, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id, one_of, words
from ..core.errors import TradingException
from .codes import TradingErrorCode


class AccountMode(StrEnum):
    """Where an account trades. `paper`: against a simulated venue."""

    PAPER = "paper"


class Account(Base):
    """A table of accounts. A key, an order and a balance belong to one each."""

    __tablename__ = "accounts"
    __table_args__ = (one_of("mode", AccountMode),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    mode: Mapped[AccountMode] = mapped_column(words(AccountMode, 8), default=AccountMode.PAPER)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


async def get_account(session: AsyncSession, name: str) -> Account:
    """Return the account of that name. Raises TradingException ACCOUNT_NOT_FOUND."""
    account = await session.scalar(select(Account).where(Account.name == name))
    if account is None:
        raise TradingException(
            TradingErrorCode.ACCOUNT_NOT_FOUND, f"There is no account {name!r}", {"account": name}
        )
    return account
