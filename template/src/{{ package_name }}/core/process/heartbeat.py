"""Watching the event loop: while it is blocked, nothing is answered, not even a probe."""

import asyncio
import threading
import time
import traceback
from sys import _current_frames

import structlog

from ..alerts.alerts import Alert, Alerts

_log = structlog.get_logger(__name__)

_MAX_FRAMES = 20


class Heartbeat:
    """Reports code that blocks the event loop: `async with` it, on the loop that is watched.

    A task beats, and a thread watches the beats. When none came for `stall_timeout` seconds, the
    thread logs where the loop's own thread is: that is the code that blocks it.
    """

    def __init__(self, stall_timeout: float, alerts: Alerts) -> None:
        self._stall_timeout = stall_timeout
        self._period = min(1, stall_timeout / 4)
        self._alerts = alerts
        self._stop = threading.Event()
        self._last = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Tell whether the task beats; when it does not though the loop runs, it was cancelled."""
        return time.monotonic() - self._last < self._stall_timeout

    async def __aenter__(self) -> "Heartbeat":
        self._last = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._watched = threading.get_ident()
        self._task = asyncio.create_task(self._beat(), name="heartbeat")
        self._thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        self._task.cancel()
        await asyncio.wait({self._task})
        await asyncio.to_thread(self._thread.join)

    async def _beat(self) -> None:
        while True:
            self._last = time.monotonic()
            await asyncio.sleep(self._period)

    def _watch(self) -> None:
        late = 0  # in a row: the whole process may have been stopped, this thread included
        stalled_at: float | None = None
        while not self._stop.wait(self._period):
            if self.is_alive:
                late = 0
                if stalled_at is not None:
                    seconds = round(self._last - stalled_at, 1)
                    _log.warning("event loop runs again", blocked_seconds=seconds)
                    stalled_at = None
                continue
            late += 1
            if late == 2:
                stalled_at = self._last
                self._report()

    def _report(self) -> None:
        frame = _current_frames().get(self._watched)
        stack = traceback.extract_stack(frame, limit=None)[-_MAX_FRAMES:] if frame else []
        where = f"{stack[-1].filename}:{stack[-1].lineno} {stack[-1].name}" if stack else ""
        _log.error(
            "event loop blocked",
            seconds=round(time.monotonic() - self._last, 1),
            where=where,
            stack="".join(traceback.format_list(stack)),
        )
        alert = Alert(
            "process:event-loop", "The event loop was blocked", {"where": where}, lasts=False
        )
        # Alerts belong to the loop: it is told as soon as the loop runs again.
        self._loop.call_soon_threadsafe(self._alerts.fire, alert)
