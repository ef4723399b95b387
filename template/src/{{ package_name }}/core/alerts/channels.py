"""Delivery of notices to a channel, such as a chat: a queue and a task for each."""

import asyncio
import random
from collections import deque
from collections.abc import Iterable
from typing import Literal, Protocol

import structlog
from prometheus_client import Counter

from .notices import Notice

_log = structlog.get_logger(__name__)

_NOTICES = Counter("alert_notices", "Messages to a channel, by how it went", ["channel", "outcome"])
_MAX_ATTEMPTS = 20
_MAX_DELAY = 60.0  # seconds


class DeliveryError(Exception):
    """A notice did not arrive; the text says why and what to do, and holds no secret."""

    def __init__(
        self, reason: str, *, is_temporary: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(reason)
        self.is_temporary = is_temporary or retry_after is not None
        self.retry_after = retry_after
        """Seconds in which the channel wants to hear nothing."""


class Channel(Protocol):
    """A place that notices are sent to. It waits for an answer no longer than its own timeout."""

    @property
    def name(self) -> str:
        """The channel's name in logs and metrics."""

    async def send(self, notice: Notice) -> None:
        """Send the notice. Raises DeliveryError if it did not arrive."""

    async def close(self) -> None:
        """Close what the channel holds open."""


class UnusableChannel:
    """Stands for a channel that could not be made; what is sent to it fails with the reason."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason

    async def send(self, _notice: Notice) -> None:
        raise DeliveryError(self.reason)

    async def close(self) -> None:
        """Do nothing."""


def faults_of(channels: Iterable[Channel]) -> list[str]:
    """Return a sentence for each channel that could not be made."""
    return [
        f"No alert is sent to {channel.name}: {channel.reason}"
        for channel in channels
        if isinstance(channel, UnusableChannel)
    ]


class ChannelQueue:
    """The notices that wait for one channel, and the task that sends them in their order."""

    def __init__(self, channel: Channel, first_delay: float, size: int = 100) -> None:
        self._channel = channel
        self._first_delay = first_delay
        self._size = size
        self._waiting: deque[Notice] = deque()
        self._current: Notice | None = None
        self._has_work = asyncio.Event()
        self._is_closing = asyncio.Event()
        self._silent_until = 0.0
        self._last_fault = ""
        self._task = asyncio.create_task(self._run(), name=f"alerts to {channel.name}")

    def put(self, notice: Notice) -> None:
        """Queue the notice, instead of the oldest one if too many wait."""
        if len(self._waiting) >= self._size:
            self._lost(self._waiting.popleft(), "dropped", "too many alerts are waiting")
        self._waiting.append(notice)
        self._has_work.set()

    async def close(self, seconds: float) -> None:
        """Try once more to send what is waiting, within so many seconds in all."""
        self._is_closing.set()
        self._has_work.set()
        try:
            await asyncio.wait([self._task], timeout=seconds)
        finally:
            self._task.cancel()
            for notice in filter(None, [self._current, *self._waiting]):
                self._lost(notice, "dropped", "the process ended before it could be sent")
            await asyncio.gather(self._task, self._channel.close(), return_exceptions=True)

    async def _run(self) -> None:
        while True:
            while self._waiting:
                self._current = self._waiting.popleft()
                await self._deliver(self._current)
                self._current = None
            if self._is_closing.is_set():
                return
            self._has_work.clear()
            await self._has_work.wait()

    async def _deliver(self, notice: Notice) -> None:
        if notice.is_recovery and self._channel.name not in notice.reached:
            return  # of what did not arrive, nobody has to hear that it is over
        clock = asyncio.get_running_loop()
        for attempt in range(_MAX_ATTEMPTS):
            await asyncio.sleep(self._silent_until - clock.time())
            error = await self._attempt(notice)
            if error is None:
                return
            delay = min(_MAX_DELAY, self._first_delay * 2**attempt) * random.uniform(0.5, 1)  # noqa: S311
            if error.retry_after is not None:
                self._silent_until = clock.time() + error.retry_after
                delay = error.retry_after
            is_last = self._is_closing.is_set() or attempt == _MAX_ATTEMPTS - 1
            if not error.is_temporary or is_last or clock.time() + delay > notice.give_up_at:
                self._lost(notice, "failed", str(error), attempts=attempt + 1)
                return
            if error.retry_after is None:
                await self._pause(delay)

    async def _attempt(self, notice: Notice) -> DeliveryError | None:
        try:
            await self._channel.send(notice)
        except DeliveryError as error:
            return error
        except (Exception, asyncio.CancelledError) as error:
            # A fault of the channel's code must not end the task, nor a cancellation in there.
            if self._task.cancelling():
                raise
            _log.exception("alert channel failed", channel=self._channel.name, alert=notice.key)
            return DeliveryError(type(error).__name__)
        notice.reached.add(self._channel.name)
        _NOTICES.labels(self._channel.name, "sent").inc()
        if self._last_fault:
            _log.info("alerts arrive again", channel=self._channel.name)
            self._last_fault = ""
        return None

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless it is closing."""
        try:
            async with asyncio.timeout(seconds):
                await self._is_closing.wait()
        except TimeoutError:
            return

    def _lost(
        self,
        notice: Notice,
        outcome: Literal["failed", "dropped"],
        reason: str,
        attempts: int | None = None,
    ) -> None:
        _NOTICES.labels(self._channel.name, outcome).inc()
        # The same fault again is no news, and the alert itself is in the log.
        log = _log.debug if reason == self._last_fault else _log.error
        self._last_fault = reason
        fields = {"request_id": notice.request_id} if notice.request_id else {}
        log(
            "alert not delivered",
            channel=self._channel.name,
            alert=notice.key,
            reason=reason,
            attempts=attempts,
            **fields,
        )
