"""Thinking: a strategy's own code, in a thread, for a limited time.

What never ends would stop the whole service otherwise. The thread can't be ended: its result is
forgotten.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


class StrategyError(Exception):
    """The strategy's own code has failed; the text says how."""


async def think(seconds: float, function: Callable[[], T]) -> T:
    """Return what the function returns. Raises StrategyError if it raises, or takes too long."""
    loop = asyncio.get_running_loop()
    thought: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if thought.done():
            return
        if error is None:
            thought.set_result(result)  # type: ignore[arg-type]  # there is one without an error
        else:
            thought.set_exception(StrategyError(f"{type(error).__name__}: {error}"))
            thought.exception()  # somebody has seen it, also where nobody waits any more

    def work() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = function()
        except BaseException as error:  # whatever it is, it is the strategy's
            failure = error
        with suppress(RuntimeError):  # the loop may have ended meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    Thread(target=work, name="strategy", daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            return await thought
    except TimeoutError:
        raise StrategyError(f"it has thought for {seconds:g} s without an end") from None
