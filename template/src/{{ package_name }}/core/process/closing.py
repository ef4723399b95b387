"""Closing what may not answer any more."""

import asyncio
from collections.abc import Awaitable
from typing import Final

GOODBYE_SECONDS: Final = 2.0


async def closed_in_time(*closings: Awaitable[None]) -> None:
    """Await all of them, 2 seconds at most: a frozen server does not answer a goodbye."""
    tasks = [asyncio.ensure_future(closing) for closing in closings]
    _, late = await asyncio.wait(tasks, timeout=GOODBYE_SECONDS)
    for task in late:
        task.cancel()
