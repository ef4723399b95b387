"""Wake-ups: what waits looks at once, and not at its next turn.

They may be lost: whoever waits for one looks again after a while.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis

from ..core.database.transactions import Source, after_commit
from ..core.database.transactions.transactional import info_of
from ..core.process.periodic import is_cancelled

_IN_INFO: Final = "wakes"
_LISTEN_SECONDS: Final = 5.0
_GATHER_SECONDS: Final = 0.02


class Wakes:
    """Wake-ups of this process."""

    def __init__(self) -> None:
        self.dispatcher = asyncio.Event()
        """There is something to send."""
        self._accounts: dict[UUID, set[asyncio.Event]] = {}
        self._outgoing: set[UUID] | None = None
        self._has_outgoing = asyncio.Event()

    def tell(self, info: dict[Any, Any]) -> None:
        """Be found by `wake_account` and `wake_dispatcher` through sessions with that `info`."""
        info[_IN_INFO] = self

    def wake_account(self, account_id: UUID) -> None:
        """Wake the streams of the account, here and in other replicas."""
        self.wake_here(account_id)
        if self._outgoing is not None:
            self._outgoing.add(account_id)
            self._has_outgoing.set()

    def wake_here(self, account_id: UUID) -> None:
        """Wake the streams of the account in this process."""
        for event in self._accounts.get(account_id, ()):
            event.set()

    @contextmanager
    def waiting_for(self, account_id: UUID) -> Iterator[asyncio.Event]:
        """Yield the event that is set when something has happened to the account."""
        event = asyncio.Event()
        self.wait_for(account_id, event)
        try:
            yield event
        finally:
            self.wait_no_more(account_id, event)

    def wait_for(self, account_id: UUID, event: asyncio.Event) -> None:
        """Have the event be set when something has happened to the account."""
        self._accounts.setdefault(account_id, set()).add(event)

    def wait_no_more(self, account_id: UUID, event: asyncio.Event) -> None:
        """Have the event be set no longer for that account."""
        events = self._accounts.get(account_id, set())
        events.discard(event)
        if not events:
            self._accounts.pop(account_id, None)

    # --- Other replicas --------------------------------------------------------------------------

    async def publish(self, redis: Redis, channel: str) -> None:
        """Tell other replicas, through Redis, whose streams were woken here; until cancelled.

        Raises RedisError while there is no Redis: the others find out when they look.
        """
        self._outgoing = set()
        try:
            while not is_cancelled():
                await self._has_outgoing.wait()
                self._has_outgoing.clear()
                accounts, self._outgoing = self._outgoing, set()
                await redis.publish(channel, ",".join(account.hex for account in accounts))
                # Under load one message tells of several changes: each costs as much as a query.
                await asyncio.sleep(_GATHER_SECONDS)
        finally:
            self._outgoing = None

    async def listen(self, redis: Redis, channel: str) -> None:
        """Wake the streams that other replicas tell of, until cancelled. Raises RedisError."""
        async with redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel)
            while not is_cancelled():
                message = await subscription.get_message(timeout=_LISTEN_SECONDS)
                if message is not None:
                    for account_id in message["data"].split(","):
                        self.wake_here(UUID(hex=account_id))


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
