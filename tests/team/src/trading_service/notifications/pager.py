"""The desk's pager, of which only the log is left."""

from typing import TYPE_CHECKING, Self

import structlog
from pydantic import Field

from ..core.alerts.notices import Notice
from ..core.config.groups import Group

if TYPE_CHECKING:
    from . import NotificationSettings

_log = structlog.get_logger(__name__)


class PagerSettings(Group):
    number: str = Field("", description="Number of the desk's pager")


class Pager:
    """A channel that writes what it is sent to the log."""

    name = "pager"

    @classmethod
    def configured(cls, settings: "NotificationSettings") -> Self | None:
        """Return the channel, if the pager has a number."""
        return cls() if settings.pager.number else None

    async def send(self, notice: Notice) -> None:
        _log.info("paged", key=notice.key)

    async def close(self) -> None:
        pass
