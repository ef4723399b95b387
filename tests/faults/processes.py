"""Processes that are killed and frozen, and what becomes of them."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from servers import Service

PATIENCE = 30.0


def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> float:
    """End a process; return when that was."""
    began = time.perf_counter()
    os.kill(pid, number)
    return began


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Have a process do nothing meanwhile, as if its machine had stopped."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def until(holds: Callable[[], object], since: float) -> float:
    """Wait until something is so; return the seconds since then. Raises TimeoutError."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)
    return time.perf_counter() - since


def starts_of(service: Service) -> int:
    """How many of its workers have started, up to now."""
    return service.log.read_text().count("Application startup complete")
