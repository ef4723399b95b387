"""`/v1/positions`"""

from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionsDep
from ..core.database.tables import new_id
from ..market.instruments import Instrument, InstrumentErrorCode
from ..market.money import PositiveAmount, SignedAmount
from ..market.words import Symbol
from ..trading import positions
from ..trading.codes import DENIALS, TradingErrorCode
from ..trading.orders.closing import closing_order
from ..trading.orders.placing import place_order
from ..trading.quotes import Quotes
from .orders import ClientOrderId, Order
from .page import Page, example
from .security import ReadAccount, TradeAccount
from .trading import NOT_NOW, TradingDep

router = ServiceRouter(prefix="/positions", tags=["positions"])


class Position(BaseModel):
    """Bought less sold quantity of the instrument, in base units.

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
    trading: TradingDep,
    after: Annotated[Symbol | None, Query(description="`next_cursor` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> PositionPage:
    rows = await positions.list_positions(session, account.id, after=after, limit=limit + 1)
    page = [_shown(position, instrument, trading.quotes) for position, instrument in rows[:limit]]
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
    trading: TradingDep,
) -> Position:
    position, instrument = await positions.get_position(session, account.id, symbol)
    return _shown(position, instrument, trading.quotes)


@router.delete(
    "/{symbol}",
    status_code=201,
    summary="Sell the position in an instrument at market",
    responses=errors(
        TradingErrorCode.POSITION_NOT_FOUND,
        TradingErrorCode.NOTHING_TO_SELL,
        TradingErrorCode.INSUFFICIENT_BALANCE,
        TradingErrorCode.CLIENT_ORDER_ID_REUSED,
        *NOT_NOW,
        InstrumentErrorCode.INVALID_SIZE_INCREMENT,
        InstrumentErrorCode.NOTIONAL_BELOW_MINIMUM,
        *DENIALS,
    ),
)
async def close_position(
    symbol: Symbol,
    account: TradeAccount,
    sessions: SessionsDep,
    trading: TradingDep,
    qty: Annotated[
        PositiveAmount | None, Query(description="Base units to sell; all that can be, without it")
    ] = None,
    client_order_id: Annotated[
        ClientOrderId | None, Query(description="Your own name for the order that sells")
    ] = None,
) -> Order:
    """Leaves what open orders sell already, and a rest below one lot."""
    terms = await trading.terms(sessions, account.id, symbol)
    async with sessions() as session:
        request = await closing_order(
            session, account.id, symbol, qty, client_order_id or f"close-{new_id()}"
        )
    placed, _ = await place_order(sessions, account.id, request, terms)
    return Order.model_validate(placed)


def _shown(position: positions.Position, instrument: Instrument, quotes: Quotes) -> Position:
    holding = position.holding
    last = quotes.last(position.symbol)
    return Position(
        account_id=position.account_id,
        symbol=position.symbol,
        qty=holding.qty,
        avg_price=holding.avg_price,
        realized_pnl=holding.realized_pnl,
        unrealized_pnl=None if last is None else holding.unrealized_pnl(last.price),
        fees=holding.fees,
        dust=holding.is_dust(instrument),
    )
