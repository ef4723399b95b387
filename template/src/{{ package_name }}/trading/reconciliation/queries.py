"""Looking up runs of reconciliation."""

from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from .model import Reconciliation


async def list_reconciliations(
    session: AsyncSession, account_id: UUID, *, after: UUID | None = None, limit: int
) -> list[Reconciliation]:
    """Return at most `limit` of the account's runs, newest first."""
    query = select(Reconciliation).where(Reconciliation.account_id == account_id)
    if after is not None:
        last = aliased(Reconciliation)
        begin = select(last.started_at, last.id).where(
            last.account_id == account_id, last.id == after
        )
        place = tuple_(Reconciliation.started_at, Reconciliation.id)
        query = query.where(place < begin.scalar_subquery())
    query = query.order_by(Reconciliation.started_at.desc(), Reconciliation.id.desc())
    return list(await session.scalars(query.limit(limit)))
