"""Sending messages about alerts to every channel."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import structlog

from ..config import Settings
from ..config.groups import AlertSettings
from .channels import Channel, ChannelQueue, DeliveryError
from .notices import NoticeWriter

_log = structlog.get_logger(__name__)


class Sender:
    """Writes messages, and puts them into the queue of each channel, once it is started."""

    def __init__(
        self,
        channels: Iterable[Channel],
        settings: Settings | None,
        service: str,
        first_delay: float,
    ) -> None:
        self.timing = settings.alerts if settings else AlertSettings()
        self.loop: asyncio.AbstractEventLoop | None = None
        """The loop in which it was started; None before that, and once it is closed."""
        self._channels = list(channels)
        self._writer = NoticeWriter(settings, service)
        self._first_delay = first_delay
        self._queues: list[ChannelQueue] = []

    def start(self) -> None:
        """Send from now on. Call it in the event loop."""
        self.loop = asyncio.get_running_loop()
        self._queues = [ChannelQueue(channel, self._first_delay) for channel in self._channels]

    async def close(self) -> None:
        """Send what is waiting, within `ALERTS_CLOSE_TIMEOUT` seconds."""
        self.loop = None
        queues, self._queues = self._queues, []
        await asyncio.gather(*(queue.close(self.timing.close_timeout) for queue in queues))

    def send(
        self,
        key: str,
        headline: str,
        details: Mapping[str, object],
        *,
        request_id: str,
        reached: set[str],
        is_recovery: bool = False,
    ) -> bool:
        """Send a message about the alert of that key; return False if it is not started.

        `reached` is filled with the channels where the message arrives, and a recovery goes only
        to those.
        """
        if self.loop is None:
            return False
        notice = replace(
            self._writer.write(key, headline, details, request_id),
            reached=reached,
            is_recovery=is_recovery,
            give_up_at=self.loop.time() + self.timing.give_up_after,
        )
        for queue in self._queues:
            queue.put(notice)
        return True

    def call_later(self, seconds: float, work: Callable[[], None]) -> asyncio.TimerHandle | None:
        """Do `work` in so many seconds, unless it is closed by then; None if it is not started."""
        return self.loop.call_later(seconds, safely, work) if self.loop else None

    async def test(self) -> dict[str, str]:
        """Send a message to each channel, once; return by its name why it did not arrive, or ""."""
        notice = self._writer.write("test", "[test] Alerts arrive here")

        async def send(channel: Channel) -> str:
            try:
                await channel.send(notice)
            except DeliveryError as error:
                return self._writer.redactor.text(str(error))
            finally:
                await channel.close()
            return ""

        reasons = await asyncio.gather(*map(send, self._channels))
        return {
            channel.name: reason for channel, reason in zip(self._channels, reasons, strict=True)
        }


def safely(work: Callable[..., None], *args: Any) -> None:
    """Do `work`, and log an error of it: whoever has an alert has other work to do."""
    try:
        work(*args)
    except Exception:
        with suppress(Exception):
            _log.exception("alert failed", alert=str(args[:1]))
