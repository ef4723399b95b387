"""Wake-ups: what waits looks at once, and not at its next turn.

They may be lost: whoever waits for one looks again after a while.
"""

import asyncio
from contextlib import suppress
from typing import Any, Final
from uuid import UUID

from ..core.database.transactions import Source, after_commit, info_of

_IN_INFO: Final = "wakes"


class Wakes:
    """Wake-ups of this process."""

    def __init__(self) -> None:
        self.dispatcher = asyncio.Event()
        """There is something to send."""
        self.watch = asyncio.Event()
        """The exchange has something new."""
        self._accounts: dict[UUID, set[asyncio.Event]] = {}

    def tell(self, info: dict[Any, Any]) -> None:
        """Be found by `wake_account` and `wake_dispatcher` through sessions with that `info`."""
        info[_IN_INFO] = self

    def wake_account(self, account_id: UUID) -> None:
        """Wake the streams of the account."""
        for event in self._accounts.get(account_id, ()):
            event.set()


async def woken(event: asyncio.Event, seconds: float) -> None:
    """Wait until somebody sets the event, for `seconds` at most; it is cleared then."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    event.clear()


def wake_account(source: Source, account_id: UUID) -> None:
    """Wake the streams of the account once the transaction is committed."""
    wakes: Wakes | None = info_of(source).get(_IN_INFO)
    if wakes is not None:
        after_commit(source, lambda: wakes.wake_account(account_id))


def wake_dispatcher(source: Source) -> None:
    """Wake the dispatcher of this process once the transaction is committed."""
    wakes: Wakes | None = info_of(source).get(_IN_INFO)
    if wakes is not None:
        after_commit(source, wakes.dispatcher.set)
