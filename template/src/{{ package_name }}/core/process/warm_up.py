"""The warm-up: what has to be done before requests should come."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from .away import is_away
from .closing import GOODBYE_SECONDS

_log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 1.0


class WarmUp:
    """Work that is tried until it succeeds, such as opening the connections of a pool."""

    def __init__(self) -> None:
        self.is_done = False

    @asynccontextmanager
    async def trying(self, work: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Try `work`, with pauses of a second, until it succeeds or the block ends.

        The block begins once it has succeeded, or after a second. An error is logged, once for as
        long as it is the same; with its traceback unless it only says that a server is away.
        """
        self.is_done = False
        ending = asyncio.Event()
        task = asyncio.create_task(self._try(work, ending))
        await asyncio.wait({task}, timeout=_PAUSE_SECONDS)
        try:
            yield
        finally:
            # A connection that is being opened is lost, and not closed, if that is cancelled.
            ending.set()
            await asyncio.wait({task}, timeout=GOODBYE_SECONDS)
            task.cancel()
            await asyncio.wait({task})

    async def _try(self, work: Callable[[], Awaitable[object]], ending: asyncio.Event) -> None:
        known = ""
        while not self.is_done and not ending.is_set():
            try:
                await work()
            except Exception as error:
                if repr(error) != known:
                    known = repr(error)
                    _log.warning(
                        "warm-up failed",
                        error=str(error).partition("\n")[0],
                        exc_info=None if is_away(error) else error,
                    )
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_SECONDS):
                        await ending.wait()
            else:
                self.is_done = True
