"""`/v1/instruments`"""

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..market.instruments import list_instruments
from ..market.money import Amount
from .page import FromRow, Page
from .security import ReadAccount

router = ServiceRouter(prefix="/instruments", tags=["instruments"])


class InstrumentOut(FromRow):
    symbol: str
    base_currency: str
    quote_currency: str
    price_increment: Amount
    size_increment: Amount
    min_notional: Amount


@router.get("", summary="What can be traded, and by which steps")
async def list_(_account: ReadAccount, session: SessionDep) -> Page[InstrumentOut]:
    rows = await list_instruments(session)
    return Page(items=[InstrumentOut.model_validate(row) for row in rows])
