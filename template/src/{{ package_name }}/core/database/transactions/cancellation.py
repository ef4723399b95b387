"""Work that a cancellation must not cut in half."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, even if the caller, or everything, is cancelled meanwhile.

    The cancellation is raised afterwards; what `work` raised is then its cause. `work` itself
    can't be cancelled, so that `asyncio.timeout()` has no effect in it: what needs that has to be
    a task of its own.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    task = _Uncancellable(_and_then_tell(work, ended), loop=loop)
    try:
        # Not the task: cancelling us would cancel what we wait for.
        await ended
    except asyncio.CancelledError as cancelled:
        # anyio repeats a cancellation at every await, unless it is shielded off.
        with anyio.CancelScope(shield=True):
            while not task.done():
                try:
                    await asyncio.wait([task])
                except asyncio.CancelledError:
                    continue
        raise cancelled from task.exception()
    return task.result()


async def _and_then_tell(work: Coroutine[Any, Any, T], ended: asyncio.Future[None]) -> T:
    try:
        return await work
    finally:
        if not ended.done():
            ended.set_result(None)


class _Uncancellable(asyncio.Task[T]):
    """Goes on when a loop that shuts down cancels all tasks; the loop then waits for it."""

    def cancel(self, msg: Any = None) -> bool:  # noqa: ARG002
        return False
