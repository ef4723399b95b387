"""Counting the requests that are being served."""

import asyncio
from contextlib import suppress

# Cancelled requests get this long to roll back and let go of their connections.
_ROLLBACK_SECONDS = 5.0


class RequestsInFlight:
    """The number of requests that have begun and not ended yet."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()

    def begin(self) -> None:
        """Count a request that begins."""
        self._count += 1

    def end(self) -> None:
        """Count a request that ends."""
        self._count -= 1
        if not self._count:
            self._none.set()

    async def ended(self) -> None:
        """Wait until there are none, and what they held is free again; 5 seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                while self._count:
                    self._none.clear()
                    await self._none.wait()
