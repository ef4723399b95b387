"""Alerts for people: logged always, and sent to the channels that are configured."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Self

import structlog

from ..config import Settings
from ..errors.middleware import get_request_id
from .alert import Alert
from .channels import Channel
from .episodes import Episode
from .sender import Sender, safely

__all__ = ["Alert", "Alerts"]

_log = structlog.get_logger(__name__)

_MAX_KEYS = 1000
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


class Alerts:
    """Tells people what they should know. Never blocks and never raises.

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
        self._sender = Sender(channels, settings, service, first_delay)
        self._episodes: dict[str, Episode] = {}

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def start(self) -> None:
        """Send from now on. Call it in the event loop."""
        self._sender.start()
        for episode in self._episodes.values():
            episode.tell_the_rest()

    async def close(self) -> None:
        """Send what is waiting, within `ALERTS_CLOSE_TIMEOUT` seconds."""
        for episode in self._episodes.values():
            safely(episode.tell_the_rest)
            episode.cancel()
        self._episodes.clear()
        await self._sender.close()

    async def test(self) -> dict[str, str]:
        """Send a message to each channel, once; return by its name why it did not arrive, or ""."""
        return await self._sender.test()

    def fire(self, alert: Alert) -> None:
        """Tell `alert`. May be called from any thread."""
        self._in_the_loop(self._fire, alert)

    def resolve(self, key: str, title: str, details: Mapping[str, object] | None = None) -> None:
        """Tell that the active alert of that key is over, if there is one. From any thread."""
        self._in_the_loop(self._resolve, key, title, details or {})

    def _in_the_loop(self, work: Callable[..., None], *args: Any) -> None:
        """Do it in the event loop's thread, with the caller's context and without an exception."""
        loop = self._sender.loop
        if loop is None or loop is _running_loop():
            safely(work, *args)
        else:
            with suppress(RuntimeError):  # it was closed just now
                loop.call_soon_threadsafe(self._in_the_loop, work, *args)

    def _fire(self, alert: Alert) -> None:
        episode = self._episodes.get(alert.key)
        if episode is not None and not episode.is_news(alert):
            return
        log = _log.error if alert.severity == "critical" else _log.warning
        log(alert.title, alert=alert.key, severity=alert.severity, **_fields(alert.details))
        if episode is None:
            if not (alert.lasts or self._sender.loop):
                return
            if len(self._episodes) >= _MAX_KEYS:
                _log.error("alert not sent, there are too many different ones", alert=alert.key)
                return
            episode = self._episodes[alert.key] = Episode(alert, self._sender, self._forget)
        episode.fire(alert, get_request_id())

    def _resolve(self, key: str, title: str, details: Mapping[str, object]) -> None:
        episode = self._episodes.get(key)
        if episode is not None and episode.is_active:
            _log.info(title, alert=key, **_fields(details))
            episode.resolve(title, details)

    def _forget(self, alert: Alert) -> None:
        self._episodes.pop(alert.key, None)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _fields(details: Mapping[str, object]) -> dict[str, Any]:
    """Return the details as fields of a log line, whose own names they can't take."""
    return {
        f"{name}_" if name in _NAMES_OF_THE_LOG else str(name): value
        for name, value in details.items()
    }
