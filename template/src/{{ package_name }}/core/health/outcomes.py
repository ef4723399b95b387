"""Outcomes of health checks, in words and figures."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel


class Status(StrEnum):
    """Health in a word, the best first. `degraded` still serves requests."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


def worst(statuses: list[Status]) -> Status:
    """Return the worst of the statuses."""
    return max(statuses, key=list(Status).index)


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
