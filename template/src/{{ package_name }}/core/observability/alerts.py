"""What a person should know: logged always, and sent to the channels that are configured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import structlog

_log = structlog.get_logger(__name__)


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


class Alerts:
    """Never blocks and never raises: whoever has an alert has other work to do."""

    def fire(self, alert: Alert) -> None:
        _log.warning(alert.title, alert=alert.key, severity=alert.severity, **alert.details)

    def resolve(self, key: str, title: str, details: Mapping[str, object] | None = None) -> None:
        """Tell that it is over, if an alert of that key is active."""
        _log.info(title, alert=key, **(details or {}))
