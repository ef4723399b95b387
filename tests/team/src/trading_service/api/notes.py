"""`/v1/notes`"""

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..desk.feed import FeedDep
from ..trading.notes import list_notes
from .page import Page
from .security import ReadAccount

router = ServiceRouter(prefix="/notes", tags=["notes"])


@router.get("", summary="The notes of this account")
async def list_own(account: ReadAccount, session: SessionDep) -> Page[str]:
    return Page(items=await list_notes(session, account.id))


@router.get("/prices", summary="The prices that the desk looks at")
async def list_prices(_account: ReadAccount, feed: FeedDep) -> dict[str, str]:
    return {symbol: str(price) for symbol, price in feed.prices.items()}
