"""Episodes: when the beginning, the repetitions and the end of an alert are told."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from .alert import Alert
from .notices import shown_time
from .sender import Sender


class Episode:
    """The alerts of one key, from the first until it is over, and its cool-down as well.

    The first alert is told at once, and begins the cool-down. What comes within it is one message
    at its end. An alert that lasts is told again every ALERTS_REPEAT seconds. `forget` is called
    when there is nothing left to tell, nor to wait for.
    """

    def __init__(self, alert: Alert, sender: Sender, forget: Callable[[Alert], None]) -> None:
        self.alert = alert
        self.is_active = False
        """True while the alert lasts, and has not been resolved."""
        self._sender = sender
        self._forget = forget
        self._began = datetime.now(UTC)
        self._request_id = ""
        self._reached: set[str] = set()
        self._untold = 0
        self._told_at: datetime | None = None
        self._is_cooling_down = False
        self._timer: asyncio.TimerHandle | None = None

    def is_news(self, alert: Alert) -> bool:
        """Tell whether `alert` is no mere repetition: an event, a beginning, a worse severity."""
        return not (self.is_active and alert.lasts) or self._is_worse(alert)

    def fire(self, alert: Alert, request_id: str) -> None:
        """Note `alert`, and tell it at once unless the cool-down says to wait."""
        is_worse = self._is_worse(alert)
        if not self.is_active:
            self._began, self._reached = datetime.now(UTC), set()
        self.alert, self.is_active, self._request_id = alert, alert.lasts, request_id
        self._untold += 1
        if is_worse or not self._is_cooling_down:
            self._tell()

    def resolve(self, title: str, details: Mapping[str, object]) -> None:
        """Tell that it is over, to the channels where its beginning has arrived."""
        self.is_active = False
        headline = f"[recovered] {title} (it began at {shown_time(self._began)})"
        self._send(headline, details, is_recovery=True)
        if not self._is_cooling_down:
            self.cancel()
            self._forget(self.alert)

    def tell_the_rest(self) -> None:
        """Tell now what waits for the start, or for the end of the cool-down."""
        if self._untold:
            self._tell()

    def cancel(self) -> None:
        """Tell nothing more by itself."""
        if self._timer:
            self._timer.cancel()

    def _is_worse(self, alert: Alert) -> bool:
        severities = (self.alert.severity, alert.severity)
        return self.is_active and severities == ("warning", "critical")

    def _tell(self) -> None:
        """Send the alert, and how often it came since the last message; begin the cool-down."""
        headline = f"[{self.alert.severity}] {self.alert.title}"
        if self._told_at and self._untold > 1:
            headline += f" ({self._untold} times since {shown_time(self._told_at)})"
        if self.alert.lasts and not self.is_active:
            headline += " (it is over now)"
        if self._send(headline, self.alert.details):
            self._untold, self._told_at = 0, datetime.now(UTC)
            self._is_cooling_down = True
            self._wait(self._sender.timing.cooldown, self._end_cooldown)

    def _end_cooldown(self) -> None:
        timing = self._sender.timing
        self._is_cooling_down = False
        if self._untold:
            self._tell()
        elif not self.is_active:
            self._forget(self.alert)
        elif timing.repeat:
            self._wait(timing.repeat - timing.cooldown, self._repeat)

    def _repeat(self) -> None:
        since = shown_time(self._began)
        headline = f"[{self.alert.severity}] Still: {self.alert.title} (since {since})"
        self._send(headline, self.alert.details)
        self._wait(self._sender.timing.repeat, self._repeat)

    def _wait(self, seconds: float, work: Callable[[], None]) -> None:
        self.cancel()
        self._timer = self._sender.call_later(seconds, work)

    def _send(
        self, headline: str, details: Mapping[str, object], *, is_recovery: bool = False
    ) -> bool:
        return self._sender.send(
            self.alert.key,
            headline,
            details,
            request_id=self._request_id,
            reached=self._reached,
            is_recovery=is_recovery,
        )
