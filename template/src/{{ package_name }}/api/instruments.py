"""`/v1/instruments`"""

from pydantic import ConfigDict

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..market import instruments
from ..market.money import Amount
from .page import FromRow, Page, example
from .security import ReadAccount

router = ServiceRouter(prefix="/instruments", tags=["instruments"])


class Instrument(FromRow):
    """Pair of currencies. Prices are quote units per base unit, sizes base units."""

    model_config = ConfigDict(
        json_schema_extra=example(
            symbol="BTC-USDT",
            base_currency="BTC",
            quote_currency="USDT",
            price_increment="0.01",
            size_increment="0.00001",
            min_notional="1",
        )
    )

    symbol: str
    base_currency: str
    quote_currency: str
    price_increment: Amount
    size_increment: Amount
    min_notional: Amount


class InstrumentPage(Page[Instrument]):
    """Part of the list of instruments, by symbol."""


@router.get("", summary="List what can be traded, and by which steps")
async def list_instruments(_account: ReadAccount, session: SessionDep) -> InstrumentPage:
    rows = await instruments.list_instruments(session)
    return InstrumentPage(items=[Instrument.model_validate(row) for row in rows])
