"""Work that is done again and again in the background."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import structlog

from .away import is_away

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do `work` now and `seconds` after it ended, as long as the block runs.

    An error of it is logged, once for as long as it is the same, and with its traceback unless it
    only says that a server is away. Nothing that `work` raises ends the repetition, except what
    ends the process (SystemExit, KeyboardInterrupt).
    """
    task = asyncio.create_task(_repeat(seconds, work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _repeat(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    known = ""
    while True:
        try:
            await work()
            known = ""
        except (Exception, asyncio.CancelledError) as error:
            # Unless it is ours, the cancellation is of something that `work` has waited for.
            if not is_cancelled():
                known = _report(work, error, known)
        if is_cancelled():
            return
        await asyncio.sleep(seconds)


def is_cancelled() -> bool:
    """Tell whether this task was told to end; a loop around calls of libraries has to ask.

    They may swallow the cancellation: before Python 3.12 asyncio.wait_for() does, where what it
    waits for has just ended, and redis-py sends every command through it.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _report(work: Callable[..., object], error: BaseException, known: str) -> str:
    """Log the error of `work` unless it is the `known` one, and return what is known then.

    Raises nothing: an error may have no text, and work no name.
    """
    text = type(error).__name__
    with suppress(Exception):
        text = repr(error)
    if text == known:
        return known
    with suppress(Exception):
        if is_away(error):
            _log.warning("periodic work waits for a server", work=_name_of(work), error=text)
        else:
            _log.error("periodic work failed", work=_name_of(work), exc_info=error)
    return text


def _name_of(work: Callable[..., object]) -> str:
    while isinstance(work, partial):
        work = work.func
    return getattr(work, "__qualname__", type(work).__name__)
