"""The limits of an account's orders: settings, which a row can replace for an account."""

from dataclasses import dataclass, fields
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ForeignKey, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.memo import memo_of
from ...core.database.tables import Base
from ...core.database.transactions import Source, execute_single
from ...market.money import AMOUNT
from .settings import RiskSettings

KNOWN_SECONDS = 5.0
"""For so long a process may use what it knows of an account's limits."""


class RiskLimits(Base):
    """A table of the limits that an account has instead of the settings; NULL: as they are."""

    __tablename__ = "risk_limits"

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    max_order_qty: Mapped[Decimal | None] = mapped_column(AMOUNT)
    max_order_notional: Mapped[Decimal | None] = mapped_column(AMOUNT)
    max_open_orders: Mapped[int | None]
    max_position: Mapped[Decimal | None] = mapped_column(AMOUNT)
    max_orders_per_second: Mapped[int | None]
    max_daily_loss: Mapped[Decimal | None] = mapped_column(AMOUNT)


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that hold for an account; see RiskSettings."""

    max_order_qty: Decimal
    max_order_notional: Decimal
    max_open_orders: int
    max_position: Decimal
    max_orders_per_second: int
    max_daily_loss: Decimal
    price_collar: Decimal
    stale_price: float


_OF_ACCOUNT = select(RiskLimits.__table__).where(RiskLimits.account_id == bindparam("account_id"))


async def get_limits(source: Source, account_id: UUID, settings: RiskSettings) -> Limits:
    """Return the account's limits as they were at most 5 seconds ago."""

    async def read() -> Limits:
        rows = await execute_single(source, _OF_ACCOUNT, {"account_id": account_id})
        own = rows[0]._mapping if rows else {}
        values = {field.name: own.get(field.name) for field in fields(Limits)}
        return Limits(
            **{
                name: getattr(settings, name) if value is None else value
                for name, value in values.items()
            }
        )

    limits = await memo_of(source).read(("risk limits", account_id), KNOWN_SECONDS, read)
    assert limits is not None
    return limits
