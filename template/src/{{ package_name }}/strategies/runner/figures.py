"""Figures of the database that are shown as metrics."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from . import metrics
from .model import Instance, Status

_COUNTS = select(Instance.status, func.count()).group_by(Instance.status)


async def show_figures(session: AsyncSession) -> None:
    """Set the gauges to what the database has."""
    counts = {row[0]: row[1] for row in await session.execute(_COUNTS)}
    for status in Status:
        metrics.INSTANCES.labels(status).set(counts.get(status, 0))
