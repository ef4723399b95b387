"""Balances: how much of each currency an account has, and how much open orders hold."""

from collections.abc import Iterable
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, String, Uuid, bindparam, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, given
from ..core.errors import TradingException
from ..market.columns import AMOUNT, bounded
from ..market.money import MAX_AMOUNT, exact, plain
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
        with exact():
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


_account_id = given("account_id", Uuid())
_available, _held = given("available", AMOUNT), given("held", AMOUNT)
_MOVE = (
    update(Balance)
    .where(
        Balance.account_id == _account_id,
        Balance.currency == given("currency", Balance.currency.type),
        Balance.available + Balance.held + given("total", AMOUNT) < literal_column(_MAX),
    )
    .values(available=Balance.available + _available, held=Balance.held + _held)
    .returning(Balance.currency)
    .execution_options(synchronize_session=False)
)


async def move(
    session: AsyncSession, account_id: UUID, currency: str, available: Decimal, held: Decimal
) -> None:
    """Add to what is available and to what is held; negative amounts are taken away.

    Only the ledger does so, with the entries that say why. Raises TradingException
    BALANCE_ABOVE_MAXIMUM: the total stays below the most that a column can hold, so that a release
    always fits. Raises IntegrityError where one of them would become negative.
    """
    with exact():
        total = available + held
    row = {"account_id": account_id, "currency": currency, "available": available, "held": held}
    values = {f"given_{name}": value for name, value in row.items()} | {"given_total": total}
    moved = await session.scalar(_MOVE, values) or await session.scalar(
        insert(Balance).values(row).on_conflict_do_nothing().returning(Balance.currency)
    )
    if moved is None:
        raise above_maximum(currency, total)


def above_maximum(currency: str, amount: Decimal) -> TradingException:
    """Return the refusal of an amount that would make a balance larger than a column can hold."""
    return TradingException(
        TradingErrorCode.BALANCE_ABOVE_MAXIMUM,
        f"The balance of {currency} would reach {plain(MAX_AMOUNT)}, more than can be stored",
        {"currency": currency, "amount": plain(amount)},
    )


_LOCK = (
    select(Balance)
    .where(
        Balance.account_id == bindparam("account_id"),
        Balance.currency.in_(bindparam("currencies", expanding=True)),
    )
    .order_by(Balance.currency)
    .with_for_update()
    .execution_options(populate_existing=True)
)


async def lock_balances(
    session: AsyncSession, account_id: UUID, currencies: Iterable[str]
) -> dict[str, Balance]:
    """Lock the account's balances in these currencies, and return those that are there."""
    values = {"account_id": account_id, "currencies": sorted(currencies)}
    rows = await session.scalars(_LOCK, values)
    return {row.currency: row for row in rows}


async def list_balances(session: AsyncSession, account_id: UUID) -> list[Balance]:
    """Return the account's balances, by currency."""
    query = select(Balance).where(Balance.account_id == account_id).order_by(Balance.currency)
    return list(await session.scalars(query))
