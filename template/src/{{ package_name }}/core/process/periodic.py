"""Work that is done again and again in the background."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do `work` now and `seconds` after it ended, as long as the block runs.

    An error of it is logged, once for as long as it is the same, and does not end the repetition.
    """
    task = asyncio.create_task(_repeat(seconds, work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _repeat(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.current_task()
    assert task is not None
    known = ""
    while True:
        try:
            await work()
            known = ""
        except Exception as error:
            if repr(error) != known:
                known = repr(error)
                _log.error("periodic work failed", work=_name_of(work), exc_info=error)
        # Work may swallow our cancellation: before Python 3.12 asyncio.wait_for() does, where what
        # it waits for has just ended, and redis-py sends every command through it.
        if task.cancelling():
            return
        await asyncio.sleep(seconds)


def _name_of(work: Callable[..., object]) -> str:
    while isinstance(work, partial):
        work = work.func
    return getattr(work, "__qualname__", type(work).__name__)
