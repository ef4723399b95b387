"""`/v1/audit`"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict

from ..core.api import ServiceRouter
from ..core.database.session import ReadingSessionDep
from ..trading import audit
from .page import FromRow, Page, example
from .security import AdminAccount

router = ServiceRouter(prefix="/audit", tags=["audit"])


class AuditEntry(FromRow):
    """Change: who made it, in which request, from what to what."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            actor="019ab0c4-1a2b-7c3d-8e4f-5a6b7c8d9e0f",
            request_id="0f8fad5b-d9cb-469f-a165-70867728950e",
            action="trading_state.set",
            before={"state": "active", "reason": ""},
            after={"state": "halted", "reason": "a look at the books"},
            created_at="2026-11-25T09:30:00Z",
        )
    )

    id: UUID
    account_id: UUID
    actor: str
    request_id: str | None
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    created_at: datetime


class AuditPage(Page[AuditEntry]):
    """Part of the list of changes, newest first."""


@router.get(
    "", summary="List changes of state, limits and keys, newest first; needs the scope `admin`"
)
async def list_audit(
    account: AdminAccount,
    session: ReadingSessionDep,
    after: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> AuditPage:
    """Those of the key's account, and of the whole service (an `account_id` of zeros)."""
    entries = await audit.list_audit(session, account.id, after=after, limit=limit + 1)
    page = entries[:limit]
    return AuditPage(
        items=[AuditEntry.model_validate(entry) for entry in page],
        next_cursor=str(page[-1].id) if len(entries) > limit else None,
    )
