"""The daily-loss breaker: an account that loses too much in a day may only reduce."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, DateTime, ForeignKey, String, cast, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from ...core.alerts.alerts import Alert, Alerts
from ...core.database.session import Database
from ...core.database.tables import Base
from ...core.database.transactions import transactional
from ...market.columns import AMOUNT
from ...market.instruments import Instrument
from ...market.money import multiply, plain
from .. import metrics
from ..failures import Failures
from ..positions import Position
from .checks import LastPrice
from .limits import Limits, get_limits
from .settings import RiskSettings
from .state import TradingState, set_state, state_in_force

BREACHES: Final = 3
"""Looks in a row that have to find too much lost: one bad price does nothing."""
LOOK_SECONDS: Final = 1.0


class DayStart(Base):
    """A table of each account's profit and loss at the first look on a day (UTC), by currency.

    `breaches` counts the looks in a row that found more than the limit lost.
    """

    __tablename__ = "day_starts"
    __table_args__ = (CheckConstraint("pnl > -1e20 AND pnl < 1e20", name="pnl_range"),)

    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    currency: Mapped[str] = mapped_column(String(16), primary_key=True)
    pnl: Mapped[Decimal] = mapped_column(AMOUNT)
    breaches: Mapped[int] = mapped_column(default=0, server_default="0")
    looked_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.clock_timestamp()
    )


@dataclass(frozen=True, slots=True)
class Loss:
    """Loss of an account since the day began, and whether it is too much for now."""

    amount: Decimal
    trips: bool


class Breaker:
    """Looks at the profit and loss of every account that has traded."""

    def __init__(
        self,
        database: Database,
        last: Callable[[str], LastPrice | None],
        settings: RiskSettings,
        alerts: Alerts,
    ) -> None:
        self._database = database
        self._last = last
        self._settings = settings
        self._alerts = alerts
        self._failures = Failures("daily losses")

    async def run_once(self) -> None:
        """Look at each account; set those that lose too much to `reducing`.

        What goes wrong with one is logged, and the others are looked at.
        """
        async with self._database.sessions() as session:
            positions = (
                await session.execute(
                    select(Position, Instrument.quote_currency)
                    .join(Instrument, Instrument.symbol == Position.symbol)
                    .order_by(Position.account_id, Position.symbol)
                )
            ).all()
        accounts: dict[UUID, list[tuple[Position, str]]] = defaultdict(list)
        for position, currency in positions:
            accounts[position.account_id].append((position, currency))
        for account_id, own in accounts.items():
            try:
                limits = await get_limits(self._database.sessions, account_id, self._settings)
                pnl = self._pnl(own, limits)
                if pnl is not None:
                    await self._look(account_id, pnl, limits)
                self._failures.forget(account_id)
            except Exception as error:
                self._failures.note(account_id, error)

    def _pnl(
        self, positions: list[tuple[Position, str]], limits: Limits
    ) -> Mapping[str, Decimal] | None:
        """Return the profit and loss by currency, None while a price is unknown or too old."""
        pnl: dict[str, Decimal] = defaultdict(Decimal)
        for position, currency in positions:
            worth = Decimal(0)
            if position.qty:
                last = self._last(position.symbol)
                if last is None or last.age > limits.stale_price:
                    return None
                worth = multiply(position.qty, last.price)
            pnl[currency] += position.realized_pnl - position.fees + worth - position.cost
        return pnl

    async def _look(self, account_id: UUID, pnl: Mapping[str, Decimal], limits: Limits) -> None:
        for currency, now in pnl.items():
            async with self._database.sessions() as session, transactional(session):
                loss = await look(session, account_id, currency, now, limits.max_daily_loss)
                if not loss.trips:
                    continue
                state = await state_in_force(session, account_id)
                if state.state is not TradingState.ACTIVE:
                    continue
                reason = (
                    f"{plain(loss.amount)} {currency} were lost since 00:00 UTC, more than"
                    f" {plain(limits.max_daily_loss)} (RISK_MAX_DAILY_LOSS)"
                )
                await set_state(session, account_id, TradingState.REDUCING, reason, "service")
            details = {"account": str(account_id), "reason": reason}
            title = "An account has lost too much today, and may only reduce"
            metrics.DAILY_LOSSES.inc()
            self._alerts.fire(Alert(f"daily_loss:{account_id}", title, details, "critical", False))


async def look(
    session: AsyncSession, account_id: UUID, currency: str, pnl: Decimal, limit: Decimal
) -> Loss:
    """Count what was lost since the day began. Of several replicas one counts, once a second."""
    today = cast(func.timezone("UTC", func.clock_timestamp()), Date)
    row = {"account_id": account_id, "currency": currency, "pnl": pnl}
    await session.execute(insert(DayStart).values(**row, day=today).on_conflict_do_nothing())
    start = (
        await session.scalars(
            select(DayStart)
            .where(
                DayStart.account_id == account_id,
                DayStart.currency == currency,
                DayStart.day == today,
            )
            .with_for_update()
        )
    ).one()
    lost = start.pnl - pnl
    if lost <= limit:
        start.breaches = 0
        return Loss(lost, trips=False)
    due = func.clock_timestamp() - timedelta(seconds=LOOK_SECONDS / 2)
    is_due = await session.scalar(
        select(or_(DayStart.breaches == 0, DayStart.looked_at <= due)).where(
            DayStart.account_id == account_id,
            DayStart.currency == currency,
            DayStart.day == start.day,
        )
    )
    if is_due:
        start.breaches += 1
        start.looked_at = await session.scalar(select(func.clock_timestamp())) or start.looked_at
    return Loss(lost, trips=start.breaches >= BREACHES)
