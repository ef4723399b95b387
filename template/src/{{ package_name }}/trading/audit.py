"""The audit trail: who has changed what, from what to what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, String, func, select, tuple_, union_all
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from ..core.database.tables import Base, new_id
from ..core.errors.middleware import get_request_id
from .account_books import EVERYONE


class AuditEntry(Base):
    """A table of changes, which only grows.

    `actor` is the id of an API key, `cli`, or `service`; `account_id` of all zeros is everyone.
    """

    __tablename__ = "audit_log"
    __table_args__ = (Index("ix_audit_log_newest_first", "account_id", "created_at", "id"),)

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    actor: Mapped[str] = mapped_column(String(64))
    request_id: Mapped[str | None] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


async def note(
    session: AsyncSession,
    *,
    account_id: UUID,
    actor: str,
    action: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    """Write down a change, in its transaction: they are committed together or not at all."""
    entry = AuditEntry(
        account_id=account_id,
        actor=actor,
        request_id=get_request_id() or None,
        action=action,
        before=before,
        after=after,
    )
    session.add(entry)
    await session.flush()


async def list_audit(
    session: AsyncSession, account_id: UUID, *, after: UUID | None = None, limit: int
) -> list[AuditEntry]:
    """Return at most `limit` changes of the account and of everyone, newest first."""
    owners = account_id, EVERYONE
    last = aliased(AuditEntry)
    begin = select(last.created_at, last.id).where(last.account_id.in_(owners), last.id == after)
    newest = []
    for owner in owners:  # an index has the order of one account, and not of two
        query = select(AuditEntry).where(AuditEntry.account_id == owner)
        if after is not None:
            place = tuple_(AuditEntry.created_at, AuditEntry.id)
            query = query.where(place < begin.scalar_subquery())
        newest.append(
            query.order_by(AuditEntry.created_at.desc(), AuditEntry.id.desc()).limit(limit)
        )
    entry = aliased(AuditEntry, union_all(*newest).subquery())
    both = select(entry).order_by(entry.created_at.desc(), entry.id.desc())
    return list(await session.scalars(both.limit(limit)))
