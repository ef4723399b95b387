"""The end of the process, which SIGTERM begins.

First comes the drain: `/health/ready` answers 503 while everything else goes on, so that load
balancers look elsewhere. Then the listener closes, requests in flight end, and the process with
exit code 0. uvicorn alone would close the listener at once.
"""

import asyncio
import multiprocessing
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import structlog
import uvicorn

from ..config import Settings
from ..observability.metrics import note_workers

_log = structlog.get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Connections get this long to send the request that they were opened for, and to see it answered.
_LAST_REQUESTS_SECONDS = 1.0
# The parent of several workers passes on a signal that the terminal has sent to them already.
_ECHO_SECONDS = 1.0
_ROUNDS_TO_ACCEPT = 3


class Drain:
    """Begins with SIGTERM or SIGINT; a second signal ends the process at once."""

    def __init__(self, settings: Settings) -> None:
        self.has_begun = False
        self._seconds = settings.drain
        self._shutdown_timeout = settings.http.shutdown_timeout

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Handle the signals inside the block, if uvicorn serves us and awaits them."""
        self.has_begun = False
        server = _uvicorn_in_charge()
        if server is None:
            yield
            return
        note_workers(server.config.workers)
        ending = _Ending(server, self._shutdown_timeout)
        loop = asyncio.get_running_loop()

        def on_signal(number: int, _frame: FrameType | None = None) -> None:
            loop.call_soon_threadsafe(self._signalled, ending, number)

        before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        _when_parent_ends(lambda: loop.call_soon_threadsafe(self._orphaned, ending))
        try:
            yield
        finally:
            ending.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _signalled(self, ending: "_Ending", number: int) -> None:
        name = signal.Signals(number).name
        if not self.has_begun:
            self.has_begun = True
            _log.info("draining", signal=name, seconds=self._seconds)
            ending.begin(number, self._seconds)
        elif not ending.is_echo(number):
            _log.warning("ending now: requests in flight are cancelled", signal=name)
            ending.hurry()

    def _orphaned(self, ending: "_Ending") -> None:
        """End without the drain: what starts in the parent's place wants the port."""
        if not self.has_begun:
            self.has_begun = True
            _log.warning("ending: the process that looks after the workers is gone")
            ending.begin(signal.SIGTERM, 0)


class _Ending:
    """Ends what a server of uvicorn does, in the order that loses no request."""

    def __init__(self, server: uvicorn.Server, shutdown_timeout: float) -> None:
        self._server = server
        self._shutdown_timeout = shutdown_timeout
        self._hurries = asyncio.Event()
        self._first_signal: tuple[int, float] = (0, 0.0)
        self._task: asyncio.Task[None] | None = None

    def begin(self, number: int, drain: float) -> None:
        self._first_signal = number, time.monotonic()
        self._task = asyncio.create_task(self._end(drain))

    def is_echo(self, number: int) -> bool:
        """Tell whether the signal repeats the first one, in the parent's name."""
        first, at = self._first_signal
        is_other = (first, number) == (signal.SIGINT, signal.SIGTERM)
        return is_other and time.monotonic() - at < _ECHO_SECONDS

    def hurry(self) -> None:
        """Wait for nothing any more, and cancel the requests in flight."""
        self._hurries.set()
        for task in list(self._server.server_state.tasks):
            task.cancel()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _end(self, drain: float) -> None:
        server = self._server
        if server.started:
            await self._wait(drain)
            # uvicorn would close, along with the listener, connections whose request is on its way.
            for listener in server.servers:
                await close_listener(listener)
            await self._connections_closed(min(_LAST_REQUESTS_SECONDS, drain))
        if server.config.timeout_graceful_shutdown is None:
            # uvicorn's own, which is to wait for ever. A float does as well.
            server.config.timeout_graceful_shutdown = self._shutdown_timeout  # type: ignore[assignment]
        # And not `handle_exit`, which would have the process end by the signal: not with 0.
        server.should_exit = True

    async def _connections_closed(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._server.server_state.connections and time.monotonic() < deadline:
            if self._hurries.is_set():
                return
            await asyncio.sleep(0.01)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurries.wait()


async def close_listener(listener: asyncio.Server) -> None:
    """Close a listener when nobody waits to be accepted: closing it would cut them off."""
    queue = select.poll()
    for socket in listener.sockets:
        queue.register(socket.fileno(), select.POLLIN)
    deadline = time.monotonic() + _LAST_REQUESTS_SECONDS
    empty = 0
    # Whoever is accepted in one round of the loop gets a transport in the next ones.
    while empty < _ROUNDS_TO_ACCEPT and time.monotonic() < deadline:
        await asyncio.sleep(0)
        empty = 0 if queue.poll(0) else empty + 1
    listener.close()


def _uvicorn_in_charge() -> uvicorn.Server | None:
    """Return the server whose handler awaits SIGTERM in this thread.

    uvicorn has no other way to learn which server runs the application.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    owner: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, uvicorn.Server) else None


def _when_parent_ends(act: Callable[[], object]) -> None:
    """Act when the process that has started this one as a worker is gone, killed for example."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        with suppress(RuntimeError):  # the loop is closed: we are ending already
            act()

    threading.Thread(target=wait, name="parent", daemon=True).start()
