"""The usage of a pool since the start. Nothing here can fail the taking of a connection."""

import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

import structlog
from prometheus_client import Histogram
from pydantic import BaseModel

from . import metrics
from .leases import Lease, Leases

_log = structlog.get_logger(__name__)

_MAX_UNEVALUATED = 500  # they take memory


class Timing(BaseModel):
    """Duration of something, in seconds, and how often it happened."""

    count: int = 0
    mean: float = 0
    max: float = 0


class Meter:
    """Measures how long something takes, for people and for Prometheus.

    What was measured is only noted, and evaluated when someone wants to know: that halves what it
    costs to watch the taking of a connection.
    """

    __slots__ = ("_count", "_histogram", "_max", "_noted", "_total", "note")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._noted: list[float] = []
        # The list's own method: one of ours around it would double what it costs.
        self.note: Callable[[float], None] = self._noted.append
        """Note that it took so many seconds."""
        self._count = 0
        self._total = 0.0
        self._max = 0.0

    def evaluate(self) -> None:
        """Count what was noted, for Prometheus too."""
        noted = self._noted.copy()
        del self._noted[: len(noted)]  # the garbage collector may have noted more by now
        for seconds in noted:
            self._histogram.observe(seconds)
            self._total += seconds
        self._count += len(noted)
        self._max = max(self._max, *noted, 0)

    @property
    def unevaluated(self) -> int:
        """The number of notes since they were last evaluated."""
        return len(self._noted)

    @property
    def count(self) -> int:
        """The number of times it happened."""
        self.evaluate()
        return self._count

    @property
    def total(self) -> float:
        """The time it took in all, in seconds."""
        self.evaluate()
        return self._total

    def timing(self) -> Timing:
        """Return the figures for people."""
        self.evaluate()
        mean = self._total / self._count if self._count else 0
        return Timing(count=self._count, mean=round(mean, 6), max=round(self._max, 6))


class Usage:
    """The usage of a pool: who holds its connections, who waits for one, how long it all took."""

    def __init__(self, pool: str, leak_threshold: float) -> None:
        self.pool = pool
        self.leases = Leases(pool, leak_threshold)
        self.pending = 0
        """Calls for a connection that have not got one yet."""
        self.timeouts = 0
        self.wait = Meter(metrics.WAIT.labels(pool))
        self.hold = Meter(metrics.USE.labels(pool))
        self.creation = Meter(metrics.CREATION.labels(pool))
        self._timeouts = metrics.TIMEOUTS.labels(pool)
        self._has_failed = False

    def waiters(self, in_use: int) -> int:
        """Return how many callers wait for another to give a connection back.

        Of those that have no connection yet, some only wait for theirs to be opened or tested: the
        pool counts it as in use already, though nobody holds it.
        """
        being_opened = max(0, in_use - len(self.leases))
        return max(0, self.pending - being_opened)

    def state(self, in_use: int, idle: int) -> str:
        """Return the figures that the text of a timeout ends with."""
        waiting = self.waiters(in_use)
        return f"total={in_use + idle}, in_use={in_use}, idle={idle}, waiting={waiting}"

    def timed_out(self) -> None:
        """Count a wait for a connection that was given up."""
        self.timeouts += 1
        self._timeouts.inc()

    def taken(self, connection: Any, holder: Any, now: float) -> None:
        """Note that a connection was taken, by `holder` if anything but the task gives it back."""
        try:
            self.leases.out[connection] = Lease(holder, now)
        except Exception as error:
            self.failed(error)

    # It takes what SQLAlchemy passes to listeners; a function between the two would cost too much.
    def given_back(self, connection: Hashable, _record: Any = None) -> None:
        """Note that a connection was given back, or closed."""
        try:
            lease = self.leases.out.pop(connection, None)
            if lease is None:
                return
            lease.given_back = time.monotonic()
            if lease.tier or lease.is_lost:
                self.leases.note_return(lease)
            self.hold.note(lease.given_back - lease.taken)
            if self.hold.unevaluated >= _MAX_UNEVALUATED:
                for meter in (self.wait, self.hold, self.creation):
                    meter.evaluate()
        except Exception as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Log an error of this code itself, the first time."""
        if not self._has_failed:  # once: it may be at every checkout
            self._has_failed = True
            _log.error("pool monitor failed", pool=self.pool, exc_info=error)


class Recent:
    """The usage of a pool within the last minutes, as far as the checks have seen it."""

    def __init__(self, usage: Usage, checks: int = 60) -> None:
        self._usage = usage
        self._seen: deque[dict[str, float]] = deque([self._totals()], maxlen=checks)

    def note(self) -> None:
        """Note the totals of now, as those of one check."""
        self._seen.append(self._totals())

    def of(self, name: str) -> float:
        """Return how much was added within these minutes to the total of that name.

        Names: `timeouts`, `waits`, `waited` (seconds), `holds`, `held` (seconds), `created`.
        """
        return self._totals()[name] - self._seen[0][name]

    def since_last_check(self, name: str) -> float:
        """Return how much was added since the last check to the total of that name."""
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
