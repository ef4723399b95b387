"""`/v1/instruments`"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from ..core.api import ServiceRouter, errors
from ..core.database.session import ReadingSessionDep, SessionDep
from ..core.database.transactions import transactional
from ..core.errors import TradingException
from ..market import instruments
from ..market.instruments import InstrumentErrorCode
from ..market.money import Amount, Currency, PositiveAmount
from ..market.words import Symbol
from ..trading.codes import TradingErrorCode
from .page import FromRow, Page, example
from .security import AdminAccount, ReadAccount
from .trading import TradingDep

router = ServiceRouter(prefix="/instruments", tags=["instruments"])

_INSTRUMENT = {
    "symbol": "BTC-USDT",
    "base_currency": "BTC",
    "quote_currency": "USDT",
    "price_increment": "0.01",
    "size_increment": "0.00001",
    "min_notional": "1",
}


class NewInstrument(BaseModel):
    """Instrument to add."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra=example(**_INSTRUMENT | {"symbol": "SOL-USDT", "base_currency": "SOL"}),
    )

    symbol: Symbol
    base_currency: Currency
    quote_currency: Currency
    price_increment: PositiveAmount
    size_increment: PositiveAmount
    min_notional: Amount


class Instrument(FromRow):
    """Pair of currencies. Prices are quote units per base unit, sizes base units."""

    model_config = ConfigDict(json_schema_extra=example(**_INSTRUMENT))

    symbol: str
    base_currency: str
    quote_currency: str
    price_increment: Amount
    size_increment: Amount
    min_notional: Amount


class Quote(FromRow):
    """Best prices of an instrument at its exchange, with their sizes; null where there is none."""

    model_config = ConfigDict(
        json_schema_extra=example(
            symbol="BTC-USDT",
            bid="49995",
            bid_qty="0.31",
            ask="50000",
            ask_qty="0.42",
            last="49997.5",
            at="2026-11-25T09:30:00Z",
        )
    )

    symbol: str
    bid: Amount | None
    bid_qty: Amount | None
    ask: Amount | None
    ask_qty: Amount | None
    last: Amount | None
    at: datetime


class InstrumentPage(Page[Instrument]):
    """Part of the list of instruments, by symbol."""


@router.get("", summary="List what can be traded, and by which steps")
async def list_instruments(_account: ReadAccount, session: ReadingSessionDep) -> InstrumentPage:
    rows = await instruments.list_instruments(session)
    return InstrumentPage(items=[Instrument.model_validate(row) for row in rows])


@router.post(
    "",
    status_code=201,
    summary="Add an instrument; needs the scope `admin`",
    responses=errors(InstrumentErrorCode.INSTRUMENT_EXISTS),
)
async def add_instrument(
    new: NewInstrument, _account: AdminAccount, session: SessionDep
) -> Instrument:
    async with transactional(session) as tx:
        added = await instruments.add_instrument(tx, instruments.InstrumentRequest(**dict(new)))
    return Instrument.model_validate(added)


@router.get(
    "/{symbol}/quote",
    summary="Get the best prices of an instrument now",
    responses=errors(TradingErrorCode.NO_QUOTE),
)
async def get_quote(symbol: Symbol, _account: ReadAccount, trading: TradingDep) -> Quote:
    quote = await trading.quotes.ask(symbol)
    if quote is None:
        raise TradingException(
            TradingErrorCode.NO_QUOTE,
            f"The exchange has no prices of {symbol}, or did not answer",
            {"symbol": symbol},
        )
    return Quote.model_validate(quote)
