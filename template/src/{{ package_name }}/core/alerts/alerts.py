"""What a person should know: logged always, and sent to the channels that are configured."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, Self

import structlog

from ..config import Settings
from ..config.groups import AlertSettings
from ..errors.middleware import get_request_id
from .channels import Channel, DeliveryError, Outbox
from .notices import NoticeWriter, shown_time

_log = structlog.get_logger(__name__)

_MOST_KEYS = 1000
_NAMES_OF_THE_LOG = {
    "event",
    "alert",
    "severity",
    "level",
    "logger",
    "timestamp",
    "context",
    "exc_info",
}


@dataclass(frozen=True, slots=True)
class Alert:
    """`key` says what it is about: an alert is not told again while one of its key is active.

    `lasts` until `resolve(key)`, such as a full pool; or else it is an event, such as a connection
    that was lost.
    """

    key: str
    title: str
    details: Mapping[str, object] = field(default_factory=dict)
    severity: Literal["warning", "critical"] = "warning"
    lasts: bool = True


@dataclass(slots=True)
class _Episode:
    """What is known of a key, from its first alert until it is over and its cool-down as well."""

    alert: Alert
    is_active: bool = False
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    untold: int = 0
    told_at: datetime | None = None
    request_id: str = ""
    reached: set[str] = field(default_factory=set)
    is_cooling_down: bool = False
    timer: asyncio.TimerHandle | None = None


class Alerts:
    """Never blocks and never raises: whoever has an alert has other work to do.

    Before it is started and after it is closed, alerts are only logged. Each process has its own,
    and a message says which one it is from.
    """

    def __init__(
        self,
        channels: Iterable[Channel] = (),
        settings: Settings | None = None,
        service: str = "",
        *,
        first_delay: float = 1,
    ) -> None:
        """`first_delay`: seconds before a message that failed is tried again; then twice as long"""
        self._channels = list(channels)
        self._timing = settings.alerts if settings else AlertSettings()
        self._writer = NoticeWriter(settings, service)
        self._first_delay = first_delay
        self._episodes: dict[str, _Episode] = {}
        self._outboxes: list[Outbox] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def start(self) -> None:
        """Send from now on. Call it in the event loop."""
        self._loop = asyncio.get_running_loop()
        self._outboxes = [Outbox(channel, self._first_delay) for channel in self._channels]
        for episode in self._episodes.values():
            self._tell(episode)

    async def close(self) -> None:
        """Send what is waiting, within `ALERTS_CLOSE_TIMEOUT`."""
        for episode in self._episodes.values():
            if episode.untold:
                self._do(self._tell, episode)
            if episode.timer:
                episode.timer.cancel()
        self._episodes.clear()
        self._loop = None
        outboxes, self._outboxes = self._outboxes, []
        timeout = self._timing.close_timeout
        await asyncio.gather(*(outbox.close(timeout) for outbox in outboxes))

    async def test(self) -> dict[str, str]:
        """Send a message to each channel, once: its name, and why it did not arrive or ""."""
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

    def fire(self, alert: Alert) -> None:
        """Tell it. From any thread."""
        self._do(self._fire, alert)

    def resolve(self, key: str, title: str, details: Mapping[str, object] | None = None) -> None:
        """Tell that it is over, if an alert of that key is active. From any thread."""
        self._do(self._resolve, key, title, details or {})

    def _do(self, work: Callable[..., None], *args: Any) -> None:
        """Do it in the event loop's thread, with the caller's context and without an exception."""
        loop = self._loop
        if loop is not None and loop is not _running_loop():
            with suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(self._do, work, *args)
                return
        try:
            work(*args)
        except Exception:
            with suppress(Exception):
                _log.exception("alert failed", alert=str(args[:1]))

    def _fire(self, alert: Alert) -> None:
        episode = self._episodes.get(alert.key)
        is_worse = False
        if episode is not None and episode.is_active:
            is_worse = (episode.alert.severity, alert.severity) == ("warning", "critical")
            if alert.lasts and not is_worse:
                return
        log = _log.error if alert.severity == "critical" else _log.warning
        log(alert.title, alert=alert.key, severity=alert.severity, **_fields(alert.details))
        if episode is None:
            if not (alert.lasts or self._loop):
                return
            if len(self._episodes) >= _MOST_KEYS:
                _log.error("alert not sent, there are too many different ones", alert=alert.key)
                return
            episode = self._episodes[alert.key] = _Episode(alert)
        if not episode.is_active:
            episode.began, episode.reached = datetime.now(UTC), set()
        episode.alert, episode.is_active = alert, alert.lasts
        episode.request_id = get_request_id()
        episode.untold += 1
        if is_worse or not episode.is_cooling_down:
            self._tell(episode)

    def _resolve(self, key: str, title: str, details: Mapping[str, object]) -> None:
        episode = self._episodes.get(key)
        if episode is None or not episode.is_active:
            return
        _log.info(title, alert=key, **_fields(details))
        episode.is_active = False
        headline = f"[recovered] {title} (it began at {shown_time(episode.began)})"
        self._put(episode, headline, details, is_recovery=True)
        if not episode.is_cooling_down:
            self._forget(episode)

    def _tell(self, episode: _Episode) -> None:
        """Send the alert, and how often it came since the last message; begin the cool-down."""
        if not self._loop:
            return
        headline = f"[{episode.alert.severity}] {episode.alert.title}"
        if episode.told_at and episode.untold > 1:
            headline += f" ({episode.untold} times since {shown_time(episode.told_at)})"
        if episode.alert.lasts and not episode.is_active:
            headline += " (it is over now)"
        self._put(episode, headline, episode.alert.details)
        episode.untold, episode.told_at = 0, datetime.now(UTC)
        episode.is_cooling_down = True
        self._schedule(episode, self._timing.cooldown, self._end_cooldown)

    def _end_cooldown(self, episode: _Episode) -> None:
        episode.is_cooling_down = False
        if episode.untold:
            self._tell(episode)
        elif not episode.is_active:
            self._forget(episode)
        elif self._timing.repeat:
            self._schedule(episode, self._timing.repeat - self._timing.cooldown, self._repeat)

    def _repeat(self, episode: _Episode) -> None:
        headline = f"[{episode.alert.severity}] Still: {episode.alert.title}"
        self._put(episode, f"{headline} (since {shown_time(episode.began)})", episode.alert.details)
        self._schedule(episode, self._timing.repeat, self._repeat)

    def _schedule(
        self, episode: _Episode, seconds: float, work: Callable[[_Episode], None]
    ) -> None:
        if episode.timer:
            episode.timer.cancel()
        if self._loop:
            episode.timer = self._loop.call_later(seconds, self._do, work, episode)

    def _forget(self, episode: _Episode) -> None:
        if episode.timer:
            episode.timer.cancel()
        self._episodes.pop(episode.alert.key, None)

    def _put(
        self,
        episode: _Episode,
        headline: str,
        details: Mapping[str, object],
        *,
        is_recovery: bool = False,
    ) -> None:
        notice = self._writer.write(episode.alert.key, headline, details, episode.request_id)
        notice = replace(
            notice,
            reached=episode.reached,
            is_recovery=is_recovery,
            give_up_at=asyncio.get_running_loop().time() + self._timing.give_up_after,
        )
        for outbox in self._outboxes:
            outbox.put(notice)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _fields(details: Mapping[str, object]) -> dict[str, Any]:
    """The details as a log line's fields, whose own names they can't take."""
    return {
        f"{name}_" if name in _NAMES_OF_THE_LOG else str(name): value
        for name, value in details.items()
    }
