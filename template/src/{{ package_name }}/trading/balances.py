"""Balances: how much of each currency an account has, and how much open orders hold."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, String, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base
from ..core.errors import TradingException
from ..market.money import AMOUNT, MAX_AMOUNT, bounded, plain
from .codes import TradingErrorCode

_MAX = f"{MAX_AMOUNT:f}"  # in words: as a parameter, it would have a type that can't hold it


class Balance(Base):
    """A table of balances. `available` can be spent, `held` is reserved by open orders."""

    __tablename__ = "balances"
    __table_args__ = (bounded("available"), bounded("held"))

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(16), primary_key=True)
    available: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0))
    held: Mapped[Decimal] = mapped_column(AMOUNT, default=Decimal(0))

    @property
    def total(self) -> Decimal:
        """The sum of what is available and what is held."""
        return self.available + self.held


async def insufficient_balance(
    session: AsyncSession, account_id: UUID, currency: str, required: Decimal
) -> TradingException:
    """Return the refusal of an order for which too little is available."""
    available = await session.scalar(
        select(Balance.available).where(
            Balance.account_id == account_id, Balance.currency == currency
        )
    )
    figures = {
        "currency": currency,
        "required": plain(required),
        "available": plain(available or Decimal(0)),
    }
    return TradingException(
        TradingErrorCode.INSUFFICIENT_BALANCE,
        "The order needs {required} {currency}, {available} is available".format(**figures),
        figures,
    )


async def release(session: AsyncSession, account_id: UUID, currency: str, amount: Decimal) -> None:
    """Move `amount` back from held to available."""
    await session.execute(
        update(Balance)
        .where(Balance.account_id == account_id, Balance.currency == currency)
        .values(available=Balance.available + amount, held=Balance.held - amount)
        .execution_options(synchronize_session=False)
    )


async def credit(session: AsyncSession, account_id: UUID, currency: str, amount: Decimal) -> None:
    """Add `amount` to what is available. Raises TradingException BALANCE_ABOVE_MAXIMUM.

    The total stays below the most that a column can hold, so that a release always fits.
    """
    added = await session.scalar(
        insert(Balance)
        .values(account_id=account_id, currency=currency, available=amount)
        .on_conflict_do_update(
            index_elements=["account_id", "currency"],
            set_={"available": Balance.available + amount},
            where=Balance.available + Balance.held + amount < literal_column(_MAX),
        )
        .returning(Balance.available)
        .execution_options(synchronize_session=False)
    )
    if added is None:
        raise TradingException(
            TradingErrorCode.BALANCE_ABOVE_MAXIMUM,
            f"The balance of {currency} would reach {plain(MAX_AMOUNT)}, more than can be stored",
            {"currency": currency, "amount": plain(amount)},
        )


async def list_balances(session: AsyncSession, account_id: UUID) -> list[Balance]:
    """Return the account's balances, by currency."""
    query = select(Balance).where(Balance.account_id == account_id).order_by(Balance.currency)
    return list(await session.scalars(query))
