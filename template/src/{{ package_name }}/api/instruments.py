"""`/v1/instruments`"""

from sqlalchemy import select

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..trading.instruments import Instrument
from .schemas import InstrumentOut, Page
from .security import ReadAccount

router = ServiceRouter(prefix="/instruments", tags=["instruments"])


@router.get("", summary="What can be traded, and by which steps")
async def list_(_account: ReadAccount, session: SessionDep) -> Page[InstrumentOut]:
    rows = await session.scalars(select(Instrument).order_by(Instrument.symbol))
    return Page(items=[InstrumentOut.model_validate(row) for row in rows])
