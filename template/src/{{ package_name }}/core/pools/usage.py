"""What a pool did since the start. Nothing here can fail a checkout."""

import time
from collections import deque
from collections.abc import Hashable
from typing import Any

import structlog
from prometheus_client import Histogram
from pydantic import BaseModel

from . import metrics
from .leases import Lease, Leases

_log = structlog.get_logger(__name__)

_EVALUATED_AT_ONCE = 500


class Timing(BaseModel):
    """Of what happened so often, in seconds."""

    count: int = 0
    mean: float = 0
    max: float = 0


class Meter:
    """Seconds, for a person and for Prometheus.

    They are `noted` when they are measured, and evaluated when someone wants to know: that halves
    what it costs to watch a checkout.
    """

    __slots__ = ("_count", "_histogram", "_max", "_total", "noted")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self.noted: list[float] = []
        self._count = 0
        self._total = 0.0
        self._max = 0.0

    def evaluate(self) -> None:
        """Count what was noted, for Prometheus too."""
        noted, self.noted = self.noted, []
        for seconds in noted:
            self._histogram.observe(seconds)
            self._total += seconds
        self._count += len(noted)
        self._max = max(self._max, *noted, 0)

    @property
    def count(self) -> int:
        self.evaluate()
        return self._count

    @property
    def total(self) -> float:
        self.evaluate()
        return self._total

    def timing(self) -> Timing:
        self.evaluate()
        mean = self._total / self._count if self._count else 0
        return Timing(count=self._count, mean=round(mean, 6), max=round(self._max, 6))


class Usage:
    def __init__(self, pool: str, leak_threshold: float) -> None:
        self.pool = pool
        self.leases = Leases(pool, leak_threshold)
        self.pending = 0  # calls for a connection that have not got one yet
        self.timeouts = 0
        self.wait = Meter(metrics.WAIT.labels(pool))
        self.hold = Meter(metrics.USE.labels(pool))
        self.creation = Meter(metrics.CREATION.labels(pool))
        self._timeouts = metrics.TIMEOUTS.labels(pool)
        self._has_failed = False

    def timed_out(self) -> None:
        self.timeouts += 1
        self._timeouts.inc()

    def taken(self, connection: Any, holder: Any, now: float) -> None:
        """`holder`, if there is one, is who gives the connection back."""
        try:
            self.leases.out[connection] = Lease(holder, now)
        except Exception as error:
            self.failed(error)

    # It takes what SQLAlchemy passes to listeners; a function between the two would cost too much.
    def given_back(self, connection: Hashable, _record: Any = None) -> None:
        try:
            lease = self.leases.out.pop(connection, None)
            if lease is None:
                return
            lease.given_back = time.monotonic()
            if lease.tier or lease.is_lost:
                self.leases.note_return(lease)
            noted = self.hold.noted
            noted.append(lease.given_back - lease.taken)
            if len(noted) >= _EVALUATED_AT_ONCE:
                for meter in (self.wait, self.hold, self.creation):
                    meter.evaluate()
        except Exception as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
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
