"""`/v1/reconciliations`"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict

from ..core.api import ServiceRouter
from ..core.database.session import ReadingSessionDep
from ..trading.reconciliation.model import ReconciliationStatus, Trigger
from ..trading.reconciliation.queries import list_reconciliations as list_runs
from .page import FromRow, Page, example
from .security import AdminAccount, ReadAccount
from .trading import TradingDep

router = ServiceRouter(prefix="/reconciliations", tags=["reconciliations"])


class Reconciliation(FromRow):
    """Comparison of the account's books with the exchange; `findings` are what differed."""

    model_config = ConfigDict(
        json_schema_extra=example(
            id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            trigger="request",
            status="drift",
            findings=[
                {
                    "kind": "balance",
                    "text": "USDT: 99500 in the books, 99400 at the exchange",
                    "currency": "USDT",
                }
            ],
            started_at="2026-11-25T09:30:00Z",
            ended_at="2026-11-25T09:30:01Z",
        )
    )

    id: UUID
    account_id: UUID
    trigger: Trigger
    status: ReconciliationStatus
    findings: list[dict[str, Any]]
    started_at: datetime
    ended_at: datetime


class ReconciliationPage(Page[Reconciliation]):
    """Part of the list of comparisons, newest first."""


@router.post(
    "",
    status_code=201,
    summary="Compare the account's books with the exchange now; needs the scope `admin`",
)
async def reconcile(account: AdminAccount, trading: TradingDep) -> Reconciliation:
    run = await trading.reconciler.reconcile(account.id, Trigger.REQUEST)
    return Reconciliation.model_validate(run)


@router.get("", summary="List comparisons of the books with the exchange, newest first")
async def list_reconciliations(
    account: ReadAccount,
    session: ReadingSessionDep,
    after: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> ReconciliationPage:
    """Of the periodic ones, those that ended in another way than the one before."""
    runs = await list_runs(session, account.id, after=after, limit=limit + 1)
    page = runs[:limit]
    return ReconciliationPage(
        items=[Reconciliation.model_validate(run) for run in page],
        next_cursor=str(page[-1].id) if len(runs) > limit else None,
    )
