"""`/v1/positions`"""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep
from ..market.instruments import Instrument, Symbol
from ..market.money import SignedAmount
from ..trading import positions
from ..trading.codes import TradingErrorCode
from .page import Page, example
from .security import ReadAccount

router = ServiceRouter(prefix="/positions", tags=["positions"])

Marks = Callable[[str], Decimal | None]
"""Tells the price that a position in a symbol is worth now, None where nobody knows."""


async def get_marks() -> Marks:
    """Return where prices come from."""
    return lambda _symbol: None


class Position(BaseModel):
    """What has been bought less what has been sold of an instrument, in base units.

    Deposits are no trades, so that selling deposited coins makes it negative. All but `qty` are
    quote units; `realized_pnl` is before `fees`. `dust` is a rest below one lot, which can't be
    sold.
    """

    model_config = ConfigDict(
        json_schema_extra=example(
            account_id="019ab0c4-5e6f-7a10-8b2c-3d4e5f607182",
            symbol="BTC-USDT",
            qty="0.00999",
            avg_price="49990",
            realized_pnl="0",
            unrealized_pnl="0.0999",
            fees="0.4999",
            dust=False,
        )
    )

    account_id: UUID
    symbol: str
    qty: SignedAmount
    avg_price: SignedAmount | None
    realized_pnl: SignedAmount
    unrealized_pnl: SignedAmount | None = Field(description="Null where there is no price")
    fees: SignedAmount
    dust: bool


class PositionPage(Page[Position]):
    """Part of the list of positions, by symbol."""


@router.get("", summary="List positions, by symbol")
async def list_positions(
    account: ReadAccount,
    session: ReadingSessionDep,
    marks: Annotated[Marks, Depends(get_marks)],
    after: Annotated[Symbol | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PositionPage:
    rows = await positions.list_positions(session, account.id, after=after, limit=limit + 1)
    page = [_shown(position, instrument, marks) for position, instrument in rows[:limit]]
    return PositionPage(items=page, next_cursor=page[-1].symbol if len(rows) > limit else None)


@router.get(
    "/{symbol}",
    summary="Get the position in an instrument",
    responses=errors(TradingErrorCode.POSITION_NOT_FOUND),
)
async def get_position(
    symbol: Symbol,
    account: ReadAccount,
    session: ReadingSessionDep,
    marks: Annotated[Marks, Depends(get_marks)],
) -> Position:
    position, instrument = await positions.get_position(session, account.id, symbol)
    return _shown(position, instrument, marks)


def _shown(position: positions.Position, instrument: Instrument, marks: Marks) -> Position:
    holding = position.holding
    price = marks(position.symbol)
    return Position(
        account_id=position.account_id,
        symbol=position.symbol,
        qty=holding.qty,
        avg_price=holding.avg_price,
        realized_pnl=holding.realized_pnl,
        unrealized_pnl=None if price is None else holding.unrealized_pnl(price),
        fees=holding.fees,
        dust=holding.is_dust(instrument),
    )
