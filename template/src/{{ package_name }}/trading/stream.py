"""The stream of an account's events, as they are committed."""

from collections.abc import AsyncGenerator, Callable
from typing import Final
from uuid import UUID

from ..core.database.session import Database
from .events import AccountEvent, events_after, last_seq
from .metrics import READERS
from .wakes import Wakes, woken

POLL_SECONDS: Final = 1.0
"""So long an event waits at most, where its wake-up was lost or is another replica's."""
_PAGE: Final = 200


async def follow(
    database: Database,
    wakes: Wakes,
    account_id: UUID,
    after: int | None,
    is_over: Callable[[], bool],
) -> AsyncGenerator[AccountEvent]:
    """Yield the account's events after number `after`, or from now on, each once and in order.

    Ends when `is_over` says so. No connection to the database is held between two looks.
    """
    with READERS.track_inprogress(), wakes.waiting_for(account_id) as woke:
        async with database.reading_sessions() as session:
            seq = await last_seq(session, account_id) if after is None else after
        while not is_over():
            async with database.reading_sessions() as session:
                events = await events_after(session, account_id, seq, _PAGE)
            for event in events:
                yield event
                seq = event.seq
            if len(events) < _PAGE:
                await woken(woke, POLL_SECONDS)
