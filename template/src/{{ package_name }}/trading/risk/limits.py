"""The limits of an account's orders: settings, which a row can replace for an account."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ForeignKey, Numeric, bindparam, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ...core.database.memo import memo_of
from ...core.database.tables import Base
from ...core.database.transactions import Source, execute_single, transactional
from ...market.columns import AMOUNT
from ...market.money import PositiveAmount, plain
from .. import audit
from ..account_books import lock_books
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
        return _limits_of(rows[0]._asdict() if rows else {}, settings)

    limits = await memo_of(source).read(("risk limits", account_id), KNOWN_SECONDS, read)
    assert limits is not None
    return limits


async def learn_limits(
    source: Source, account_ids: Collection[UUID], settings: RiskSettings
) -> None:
    """Read the limits of many accounts at once: `get_limits` knows them for 5 seconds then."""
    query = select(RiskLimits.__table__).where(RiskLimits.account_id.in_(account_ids))
    own = {row.account_id: row._asdict() for row in await execute_single(source, query, {})}
    memo = memo_of(source)
    for account_id in account_ids:
        limits = _limits_of(own.get(account_id, {}), settings)
        memo.put(("risk limits", account_id), limits)


def _limits_of(own: Mapping[str, Any], settings: RiskSettings) -> Limits:
    values = {field.name: own.get(field.name) for field in fields(Limits)}
    return Limits(
        **{
            name: getattr(settings, name) if value is None else value
            for name, value in values.items()
        }
    )


_Count = Annotated[int, Field(ge=1, lt=2**31)]

OwnLimits = Mapping[str, Decimal | int | None]
"""The limits that an account has instead of the settings, by name; None: as the setting says."""

OWN_LIMITS: Mapping[str, Any] = {
    column.name: PositiveAmount if isinstance(column.type, Numeric) else _Count
    for column in RiskLimits.__table__.columns
    if not column.primary_key
}
"""Names of the limits that an account can have of its own, and what each may be."""


async def own_limits(session: AsyncSession, account_id: UUID) -> OwnLimits:
    """Return the account's own limits, each of those that an account can have."""
    row = await session.get(RiskLimits, account_id, populate_existing=True)
    return {name: None if row is None else getattr(row, name) for name in OWN_LIMITS}


async def set_limits(
    session: AsyncSession, account_id: UUID, changes: OwnLimits, actor: str
) -> OwnLimits:
    """Change some of the account's own limits, with an entry of the audit, and return them all.

    In the caller's transaction, if there is one. Processes know it within KNOWN_SECONDS.
    """
    async with transactional(session, nested="join"):
        await lock_books(session, account_id)
        before = await own_limits(session, account_id)
        await session.execute(
            insert(RiskLimits)
            .values(account_id=account_id, **changes)
            .on_conflict_do_update(index_elements=["account_id"], set_=dict(changes))
        )
        after = await own_limits(session, account_id)
        await audit.note(
            session,
            account_id=account_id,
            actor=actor,
            action="limits.set",
            before=_words(before),
            after=_words(after),
        )
    return after


def _words(limits: OwnLimits) -> dict[str, Any]:
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in limits.items()
    }
