"""The audit trail: who has changed what, from what to what."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, String, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from ..core.database.tables import Base, new_id


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
