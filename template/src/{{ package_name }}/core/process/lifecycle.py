"""From the start of the process to its last request.

SIGTERM begins the drain: `/health/ready` answers 503 while everything else goes on, so that load
balancers look elsewhere. Then the listener closes, requests in flight end, and the process with
exit code 0. uvicorn alone would close the listener at once.
"""

import asyncio
import multiprocessing
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import Settings
from ..observability.metrics import note_workers

_log = structlog.get_logger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Connections get this long to send the request that they were opened for, and to see it answered.
_LAST_REQUESTS_SECONDS = 1.0
# The parent of several workers passes on a signal that the terminal has sent to them already.
_ECHO_SECONDS = 1.0
_GOODBYE_SECONDS = 2.0
_PAUSE_SECONDS = 1.0
# Cancelled requests get this long to roll back and let go of their connections.
_ROLLBACK_SECONDS = 5.0


class Lifecycle:
    """Whether requests should come here."""

    def __init__(self, settings: Settings) -> None:
        self.is_warm = False
        """Whether the pool has opened its connections."""
        self.is_draining = False
        self.started_at = time.time()
        self._drain_seconds = settings.drain
        self._shutdown_timeout = settings.http.shutdown_timeout
        self._hurry = asyncio.Event()
        self._ended = asyncio.Event()
        self._in_flight = 0
        self._first_signal: tuple[int, float] = (0, 0.0)
        self._drain: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def warming_up(self, work: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Do `work` until it succeeds; then we are warm. The block begins after a second anyhow."""
        self.is_warm = self.is_draining = False
        ending = asyncio.Event()
        task = asyncio.create_task(self._warm_up(work, ending))
        await asyncio.wait({task}, timeout=_PAUSE_SECONDS)
        try:
            yield
        finally:
            # A connection that is being opened is lost, and not closed, if that is cancelled.
            ending.set()
            await asyncio.wait({task}, timeout=_GOODBYE_SECONDS)
            task.cancel()
            await asyncio.wait({task})

    async def _warm_up(self, work: Callable[[], Awaitable[object]], ending: asyncio.Event) -> None:
        known = ""
        while not self.is_warm and not ending.is_set():
            try:
                await work()
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                if repr(error) != known:
                    known = repr(error)
                    _log.warning("warm-up failed", error=str(error).partition("\n")[0])
                with suppress(TimeoutError):
                    async with asyncio.timeout(_PAUSE_SECONDS):
                        await ending.wait()
            else:
                self.is_warm = True

    # --- Requests --------------------------------------------------------------------------------

    def begin_request(self) -> None:
        self._in_flight += 1

    def end_request(self) -> None:
        self._in_flight -= 1
        if not self._in_flight:
            self._ended.set()

    async def requests_ended(self) -> None:
        """Wait until cancelled requests have let go of what they hold, 5 seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_ROLLBACK_SECONDS):
                while self._in_flight:
                    self._ended.clear()
                    await self._ended.wait()

    # --- Signals ---------------------------------------------------------------------------------

    @contextmanager
    def draining_on_signals(self) -> Iterator[None]:
        """Inside, SIGTERM and SIGINT begin the drain, if uvicorn serves us and awaits them."""
        server = _uvicorn_in_charge()
        if server is None:
            yield
            return
        self._server = server
        note_workers(server.config.workers)
        loop = asyncio.get_running_loop()

        def on_signal(number: int, _frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._signalled, number)

        before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
        _when_parent_ends(lambda: loop.call_soon_threadsafe(self._signalled, signal.SIGTERM))
        try:
            yield
        finally:
            if self._drain is not None:
                self._drain.cancel()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _signalled(self, number: int) -> None:
        name, now = signal.Signals(number).name, time.monotonic()
        if not self.is_draining:
            self.is_draining = True
            self._first_signal = number, now
            _log.info("draining", signal=name, seconds=self._drain_seconds)
            self._drain = asyncio.create_task(self._drain_and_exit())
            return
        first, at = self._first_signal
        if (first, number) == (signal.SIGINT, signal.SIGTERM) and now - at < _ECHO_SECONDS:
            return
        _log.warning("ending now: requests in flight are cancelled", signal=name)
        self._hurry.set()
        for task in list(self._server.server_state.tasks):
            task.cancel()

    async def _drain_and_exit(self) -> None:
        server = self._server
        if server.started:
            await self._wait(self._drain_seconds)
            # uvicorn would close, along with the listener, connections whose request is on its way.
            for listener in server.servers:
                listener.close()
            await self._connections_closed(min(_LAST_REQUESTS_SECONDS, self._drain_seconds))
        if server.config.timeout_graceful_shutdown is None:
            # uvicorn's own, which is to wait for ever. A float does as well.
            server.config.timeout_graceful_shutdown = self._shutdown_timeout  # type: ignore[assignment]
        # And not `handle_exit`, which would have the process end by the signal: not with 0.
        server.should_exit = True

    async def _connections_closed(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._server.server_state.connections and time.monotonic() < deadline:
            if self._hurry.is_set():
                return
            await asyncio.sleep(0.01)

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()


async def closed_in_time(*closings: Awaitable[None]) -> None:
    """Await all of them, but not for ever: a frozen server does not answer a goodbye."""
    tasks = [asyncio.ensure_future(closing) for closing in closings]
    _, late = await asyncio.wait(tasks, timeout=_GOODBYE_SECONDS)
    for task in late:
        task.cancel()


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


def _uvicorn_in_charge() -> uvicorn.Server | None:
    """The server whose handler awaits SIGTERM in this thread."""
    if threading.current_thread() is not threading.main_thread():
        return None
    owner: Any = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, uvicorn.Server) else None


class LifecycleMiddleware:
    """Counts the requests in flight. While draining, tells clients to come back elsewhere."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self.app = app
        self.lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lifecycle = self.lifecycle
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        def send_and_close(message: Message) -> Awaitable[None]:
            # A client would go on using a connection that is about to be closed.
            if (
                lifecycle.is_draining
                and message["type"] == "http.response.start"
                and scope["http_version"].startswith("1")
            ):
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            return send(message)

        lifecycle.begin_request()
        try:
            await self.app(scope, receive, send_and_close)
        finally:
            lifecycle.end_request()
