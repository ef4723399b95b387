"""Outcomes of health checks, in words and figures."""

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel


class Status(StrEnum):
    """Health in a word, the best first. `degraded` still serves requests."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


def overall(components: Mapping[str, Status], required: Collection[str]) -> Status:
    """Return the worst of the components; one that is not required is `degraded` at worst."""
    order = list(Status).index
    return max(
        (
            status if name in required else min(status, Status.DEGRADED, key=order)
            for name, status in components.items()
        ),
        key=order,
    )


class Outcome(BaseModel):
    """The answer of a server, or why there is none.

    `latency` is in seconds; `reason` says why it is unhealthy, and is empty otherwise.
    """

    status: Status
    at: datetime
    latency: float
    reason: str = ""


class Sample(BaseModel):
    """The outcomes of one look at every server, by component."""

    at: datetime
    components: dict[str, Outcome]
