"""Limits of how often something may happen, for each of many."""

import time
from collections.abc import Hashable


class Rates:
    """At most `rate` times a second for each, and `burst` times at once. A rate of 0 is no limit.

    It knows of the last `size` of them that came, and forgets the others: memory is bounded,
    whoever sends whatever.
    """

    def __init__(self, rate: float, burst: float, size: int = 10_000) -> None:
        self._pause = 1 / rate if rate else 0.0
        self._slack = self._pause * burst
        self._size = size
        self._paid_until: dict[Hashable, float] = {}  # the least recent first

    def take(self, who: Hashable) -> float:
        """Count one time of `who`, or return the seconds until there may be one more."""
        if not self._pause:
            return 0
        seconds = self.wait_of(who)
        if not seconds:
            self.note(who)
        return seconds

    def note(self, who: Hashable) -> None:
        """Count one time of `who`."""
        if not self._pause:
            return
        now = time.monotonic()
        paid = max(self._paid_until.pop(who, now), now) + self._pause
        self._paid_until[who] = min(paid, now + self._slack + self._pause)
        if len(self._paid_until) > self._size:
            del self._paid_until[next(iter(self._paid_until))]

    def wait_of(self, who: Hashable) -> float:
        """Return the seconds until `who` may once more; 0 is at once."""
        paid = self._paid_until.get(who)
        # Its last time may use up the slack.
        return max(0.0, paid + self._pause - self._slack - time.monotonic()) if paid else 0.0
