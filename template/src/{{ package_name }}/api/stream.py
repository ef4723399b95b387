"""`/v1/stream`"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Annotated

from anyio import BrokenResourceError
from fastapi import Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from ..core.api import ServiceRouter
from ..trading.stream import follow
from .security import ReadAccount
from .trading import TradingDep

router = ServiceRouter(prefix="/stream", tags=["stream"])


async def _until_it_ends() -> AsyncIterator[AsyncExitStack]:
    """Yield what closes the stream when the client has left.

    FastAPI would leave that to the garbage collector, and take it for an error of ours, where there
    was more to send.
    """
    async with AsyncExitStack() as opened:
        try:
            yield opened
        except* BrokenResourceError:
            pass


@router.get(
    "",
    response_class=EventSourceResponse,
    summary="Follow what happens to the account, as server-sent events",
)
async def follow_stream(
    request: Request,
    account: ReadAccount,
    trading: TradingDep,
    opened: Annotated[AsyncExitStack, Depends(_until_it_ends)],
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0,
            description="Number of the last event that was seen: the stream goes on after it."
            " Without it, it begins now; 0 is from the first event on",
        ),
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Events `order`, `fill`, `position` and `trading_state`.

    The `id` of an event is its number: of each account they have no gaps, and are in the order in
    which the events were committed. An `order` event has what has changed of the order `order_id`.
    """
    drain = request.app.lifecycle.drain
    database = request.app.resources.database
    wakes = trading.wakes
    events = follow(database, wakes, account.id, last_event_id, lambda: drain.has_begun)
    async for event in await opened.enter_async_context(aclosing(events)):
        data = event.data | {"created_at": event.created_at.isoformat()}
        if event.order_id is not None:
            data["order_id"] = str(event.order_id)
        yield ServerSentEvent(data=data, event=event.type.value, id=str(event.seq))
