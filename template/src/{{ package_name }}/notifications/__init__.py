"""Where alerts are sent to, besides the log."""

from collections.abc import Callable

from ..core.config import Settings
from ..core.observability.delivery import Channel


class NotificationSettings(
    # yours below
    Settings,
):
    """The settings of the channels."""


_CHANNELS: list[Callable[[NotificationSettings], Channel | None]] = [
    # yours below
]


def channels(settings: NotificationSettings) -> list[Channel]:
    """Those whose credentials are set."""
    return [channel for configured in _CHANNELS if (channel := configured(settings))]
