"""Notices: the messages to people, as a channel gets them."""

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..config import Settings
from ..observability.redaction import Redactor, redactor_of

_CUT = " ... (cut)"
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A message about an alert; nothing in it is secret."""

    key: str
    headline: str
    details: Mapping[str, str] = field(default_factory=dict)
    footer: str
    request_id: str = ""
    give_up_at: float = float("inf")
    """Time of the event loop."""
    reached: set[str] = field(default_factory=set)
    """The channels where the alert has arrived; its recovery has the same set."""
    is_recovery: bool = False

    def text(self, limit: int, length: Callable[[str], int] = len) -> str:
        """Return the message as plain text, no longer than `limit`; the footer is always whole.

        `length` tells what a character counts for.
        """
        lines = [self.headline, *(f"{name}: {value}" for name, value in self.details.items())]
        footer = _printable(f"\n\n{self.footer}")
        return _cut(_printable("\n".join(lines)), limit - sum(map(length, footer)), length) + footer


def _printable(text: str) -> str:
    # What is no character, such as half of a surrogate pair, can't be encoded.
    return _UNPRINTABLE.sub("", text).encode("utf-8", "replace").decode()


def _cut(text: str, limit: int, length: Callable[[str], int]) -> str:
    room = limit - sum(map(length, _CUT))
    used = end = 0
    for index, character in enumerate(text):
        used += length(character)
        if used <= room:
            end = index + 1
        if used > limit:
            return text[:end] + _CUT
    return text


class NoticeWriter:
    """Writes the notices of one process: it says where they are from, and masks secrets."""

    def __init__(self, settings: Settings | None, service: str) -> None:
        self.redactor = redactor_of(settings) if settings else Redactor()
        environment = settings.environment if settings else ""
        place = f"host {socket.gethostname()}, process {os.getpid()}"
        self._source = ", ".join(filter(None, [service, environment, place]))

    def write(
        self,
        key: str,
        headline: str,
        details: Mapping[str, object] | None = None,
        request_id: str = "",
    ) -> Notice:
        """Return the notice of an alert of that key; `request_id` is where it was found, if any."""
        mask = self.redactor
        request = f", request {request_id}" if request_id else ""
        return Notice(
            key=key,
            headline=mask.text(headline),
            details={
                mask.text(str(name)): str(mask.value(str(name), value))
                for name, value in (details or {}).items()
            },
            footer=f"{self._source}\n{shown_time(datetime.now(UTC))}, alert {key[:100]}{request}",
            request_id=request_id,
        )


def shown_time(moment: datetime) -> str:
    """Return a time as people read it, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
