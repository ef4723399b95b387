"""What a pool did since the start. Nothing here can fail a checkout."""

import time
from collections import deque
from collections.abc import Hashable
from typing import Any

import structlog
from prometheus_client import Histogram
from pydantic import BaseModel

from . import pool_metrics
from .leases import Leases

_log = structlog.get_logger(__name__)


class Timing(BaseModel):
    """Of what happened so often, in seconds."""

    count: int = 0
    mean: float = 0
    max: float = 0


class Meter:
    """Seconds, for a person and for Prometheus."""

    __slots__ = ("count", "histogram", "max", "total")

    def __init__(self, histogram: Histogram) -> None:
        self.histogram = histogram
        self.count = 0
        self.total = 0.0
        self.max = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.total += seconds
        self.max = max(self.max, seconds)
        self.histogram.observe(seconds)

    def timing(self) -> Timing:
        mean = self.total / self.count if self.count else 0
        return Timing(count=self.count, mean=round(mean, 6), max=round(self.max, 6))


class Usage:
    def __init__(self, pool: str, leak_threshold: float) -> None:
        self.pool = pool
        self.leases = Leases(pool, leak_threshold)
        self.pending = 0  # calls for a connection that have not got one yet
        self.timeouts = 0
        self.wait = Meter(pool_metrics.WAIT.labels(pool))
        self.hold = Meter(pool_metrics.USE.labels(pool))
        self.creation = Meter(pool_metrics.CREATION.labels(pool))
        self._timeouts = pool_metrics.TIMEOUTS.labels(pool)
        self._has_failed = False

    def waited(self, since: float) -> None:
        try:
            self.wait.add(time.monotonic() - since)
        except Exception as error:
            self._failed(error)

    def timed_out(self) -> None:
        try:
            self.timeouts += 1
            self._timeouts.inc()
        except Exception as error:
            self._failed(error)

    def created(self, since: float) -> None:
        try:
            self.creation.add(time.monotonic() - since)
        except Exception as error:
            self._failed(error)

    def taken(self, key: Hashable, holder: Any = None) -> None:
        try:
            self.leases.take(key, holder)
        except Exception as error:
            self._failed(error)

    def given_back(self, key: Hashable) -> None:
        try:
            seconds = self.leases.give_back(key)
            if seconds is not None:
                self.hold.add(seconds)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        if not self._has_failed:  # once: it may be at every checkout
            self._has_failed = True
            _log.error("pool monitor failed", pool=self.pool, exc_info=error)


class Recent:
    """What a pool did within the last minutes, as far as the checks have seen it."""

    def __init__(self, usage: Usage, checks: int = 60) -> None:
        self._usage = usage
        self._seen: deque[dict[str, float]] = deque([self._totals()], maxlen=checks)

    def note(self) -> None:
        self._seen.append(self._totals())

    def of(self, name: str) -> float:
        """`timeouts`, `waits`, `waited` (seconds), `holds`, `held` (seconds), or `created`."""
        return self._totals()[name] - self._seen[0][name]

    def since_last_check(self, name: str) -> float:
        return self._totals()[name] - self._seen[-1][name]

    def _totals(self) -> dict[str, float]:
        usage = self._usage
        return {
            "timeouts": usage.timeouts,
            "waits": usage.wait.count,
            "waited": usage.wait.total,
            "holds": usage.hold.count,
            "held": usage.hold.total,
            "created": usage.creation.count,
        }
