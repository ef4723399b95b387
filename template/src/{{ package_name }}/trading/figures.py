"""Figures of the database for the gauges of trading."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from . import metrics
from .orders.model import Order
from .orders.states import OPEN
from .outbox import CommandKind, oldest_seconds, waiting
from .risk.state import TradingState, TradingStateRow


async def show_figures(session: AsyncSession) -> None:
    """Set the gauges of open orders, of the outbox, and of trading states."""
    orders = select(Order.status, func.count()).where(Order.status.in_(OPEN)).group_by(Order.status)
    by_status = {row[0]: row[1] for row in await session.execute(orders)}
    for status in OPEN:
        metrics.OPEN_ORDERS.labels(status).set(by_status.get(status, 0))
    by_kind = await waiting(session)
    for kind in CommandKind:
        metrics.OUTBOX.labels(kind).set(by_kind.get(kind, 0))
    metrics.OUTBOX_AGE.set(await oldest_seconds(session))
    rows = select(TradingStateRow.state, func.count()).group_by(TradingStateRow.state)
    by_state = {row[0]: row[1] for row in await session.execute(rows)}
    for state in (TradingState.REDUCING, TradingState.HALTED):
        metrics.RESTRICTED.labels(state).set(by_state.get(state, 0))
