"""`/v1/fills`"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import ConfigDict

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep
from ..market.money import Amount, SignedAmount
from ..market.words import Liquidity, Side, Symbol
from ..trading import fills
from ..trading.codes import TradingErrorCode
from ..trading.fills import FillFlag
from .page import FromRow, Page, example
from .security import ReadAccount

router = ServiceRouter(prefix="/fills", tags=["fills"])


class Fill(FromRow):
    """Trade of an order. What the exchange charged is `fee`; below 0, it has paid.

    One with a `flag` is not in the books: somebody has to look at it.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            id="8c7f3c1e-52d0-5a44-9d0c-3f8f1f0d6a55",
            trade_id="1",
            order_id="019ab0c4-6f70-7b21-9c3d-4e5f60718293",
            client_order_id="a1",
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            symbol="BTC-USDT",
            side="buy",
            qty="0.01",
            price="49990",
            fee="0.00001",
            fee_currency="BTC",
            liquidity="taker",
            flag=None,
            created_at="2026-11-25T09:30:01Z",
        )
    )

    id: UUID
    trade_id: str
    order_id: UUID | None
    client_order_id: str | None
    account_id: UUID
    symbol: str
    side: Side
    qty: Amount
    price: Amount
    fee: SignedAmount
    fee_currency: str
    liquidity: Liquidity
    flag: FillFlag | None
    created_at: datetime


class FillPage(Page[Fill]):
    """Part of the list of fills, newest first."""


@router.get(
    "", summary="List fills, newest first", responses=errors(TradingErrorCode.FILL_NOT_FOUND)
)
async def list_fills(
    account: ReadAccount,
    session: ReadingSessionDep,
    order_id: UUID | None = None,
    symbol: Symbol | None = None,
    after: Annotated[UUID | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> FillPage:
    rows = await fills.list_fills(
        session, account.id, order_id=order_id, symbol=symbol, after=after, limit=limit + 1
    )
    page = [_shown(fill, client_order_id) for fill, client_order_id in rows[:limit]]
    return FillPage(items=page, next_cursor=str(page[-1].id) if len(rows) > limit else None)


def _shown(fill: fills.Fill, client_order_id: str | None) -> Fill:
    return Fill.model_validate({**vars(fill), "client_order_id": client_order_id})
