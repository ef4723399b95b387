"""`/v1/notes`"""

from pydantic import BaseModel, ConfigDict, Field

from ..core.api import ServiceRouter
from ..core.database.session import SessionDep
from ..core.database.transactions import transactional
from ..desk.feed import FeedDep
from ..trading.notes import list_notes, write_note
from .page import Page, example
from .security import ReadAccount, TradeAccount

router = ServiceRouter(prefix="/notes", tags=["notes"])


class NewNote(BaseModel):
    """Note to write to the account."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=example(text="sell in May"))

    text: str = Field(min_length=1, max_length=200)


@router.get("", summary="The notes of this account")
async def list_own(account: ReadAccount, session: SessionDep) -> Page[str]:
    return Page(items=await list_notes(session, account.id))


@router.post("", status_code=204, summary="Write a note")
async def write(new: NewNote, account: TradeAccount, session: SessionDep) -> None:
    async with transactional(session) as tx:
        await write_note(tx, account.id, new.text)


@router.get("/prices", summary="The prices that the desk looks at")
async def list_prices(_account: ReadAccount, feed: FeedDep) -> dict[str, str]:
    return {symbol: str(price) for symbol, price in feed.prices.items()}
