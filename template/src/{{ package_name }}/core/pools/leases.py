"""Leases: who holds which connection, and which of them are leaks.

A connection that is taken gets a lease, which ends when it comes back. `report_leaks()`, called
every few seconds, looks for three kinds of leak:

- "held": for longer than the threshold.
- "orphaned": the task that took it has ended, and so has its request. Two checks in a row have to
  see it, since whoever waited for that task may be about to give the connection back.
- "collected": the garbage collector found it, so that nobody can give it back any more.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Hashable
from typing import Any
from weakref import ref

import structlog
from pydantic import BaseModel

from ..alerts.alerts import Alert, Alerts
from ..errors.middleware import get_request
from ..observability.route import route_template
from . import origins
from .metrics import LEAKS

_log = structlog.get_logger(__name__)

_MAX_COLLECTED = 20
_TITLES = {
    "held": "A {pool} connection is held for {age:.0f} s; it was taken at {origin}",
    "orphaned": "A {pool} connection is held by a task that has ended; it was taken at {origin}",
    "collected": "A {pool} connection was lost, not given back; it was taken at {origin}",
}


class Leak(BaseModel):
    """A connection that its taker did not give back."""

    tier: str
    """"held" for longer than the threshold, "orphaned" by a task that ended, or "collected"."""
    origin: str
    """Place where it was taken, as `file:line function` of the service's own code."""
    age: float
    """Seconds since it was taken; of one that came back or was lost, until then."""
    request_id: str = ""
    route: str = ""
    waits_at: str = ""
    """Place where the task that took it is now; "" if it has ended."""


class Lease:
    """One taking of a connection: when, where in the code, for which request, by which task.

    `holder`, if there is one, is the object whose end gives the connection back; if the garbage
    collector takes it first, the connection is lost.
    """

    __slots__ = (
        *("taken", "given_back", "place", "request", "scope", "task", "holder"),
        *("may_be_kept", "tier", "looks_orphaned"),
    )

    def __init__(self, holder: Any, now: float) -> None:
        self.taken = now
        self.given_back: float | None = None
        self.place = origins.caller()
        self.request = get_request()
        self.scope = self.request.scope
        task = asyncio.current_task()
        self.task = ref(task) if task is not None else None
        self.holder = ref(holder) if holder is not None else None
        self.may_be_kept = False
        self.tier = ""
        self.looks_orphaned = False

    @property
    def route(self) -> str:
        """The template of the request's route; "" outside of a request, or when that is over."""
        return route_template(self.scope) if self.scope is not None else ""

    @property
    def origin(self) -> str:
        """The place where the connection was taken, as `file:line function`."""
        return origins.describe(self.place)

    @property
    def age(self) -> float:
        """Seconds since it was taken, or from then until it was given back."""
        return (self.given_back or time.monotonic()) - self.taken

    @property
    def is_orphaned(self) -> bool:
        """Tell whether the task that took it has ended, and its request as well."""
        task = self.task() if self.task is not None else None
        has_ended = self.task is not None and (task is None or task.done())
        return has_ended and self.request.scope is None

    @property
    def is_lost(self) -> bool:
        """Tell whether its holder is gone, without having given it back."""
        return self.holder is not None and self.holder() is None

    def leak(self) -> Leak:
        """Return what is known of it, for people."""
        place = origins.position(self.task() if self.task is not None else None)
        return Leak(
            tier=self.tier,
            origin=self.origin,
            age=round(self.age, 3),
            request_id=self.request.request_id,
            route=self.route,
            waits_at=origins.describe(place) if place is not None else "",
        )


class Leases:
    """The leases of one pool's connections, and the leaks among them.

    `threshold`: seconds after which a connection counts as held too long; 0 is never.
    """

    def __init__(self, pool: str, threshold: float) -> None:
        self._pool = pool
        self._threshold = threshold
        for tier in _TITLES:  # a rate sees the first leak only of a counter that was 0 before
            LEAKS.labels(pool, tier)
        self.out: dict[Hashable, Lease] = {}
        """The lease of each connection that is taken. Put in and taken out by the pool's usage."""
        self._collected: deque[Leak] = deque(maxlen=_MAX_COLLECTED)
        # What the next check has to tell. The garbage collector may run in any thread, and at any
        # point of the event loop's: it only appends here.
        self._lost: deque[Lease] = deque()
        self._returned: deque[Lease] = deque()

    def __len__(self) -> int:
        return len(self.out)

    def note_return(self, lease: Lease) -> None:
        """Have the next `report_leaks()` tell of a leak that came back, or was lost."""
        if lease.is_lost:
            self._lost.append(lease)
        if lease.tier:
            self._returned.append(lease)

    def held_by(self, key: Hashable, holder: Any) -> None:
        """Note that `holder` may keep a connection for long, which is lost when `holder` is."""
        lease = self.out.get(key)
        if lease is not None:
            lease.holder, lease.may_be_kept = ref(holder), True

    def lost(self) -> list[Hashable]:
        """Return the connections that are taken still, though nobody can give them back."""
        return [key for key, lease in list(self.out.items()) if lease.is_lost]

    def leaks(self) -> list[Leak]:
        """Return the leaks not given back yet, oldest first, and the last that were collected."""
        out = [lease.leak() for lease in list(self.out.values()) if lease.tier]
        return out + list(self._collected)

    def routes(self) -> Counter[str]:
        """Count the connections each route holds; outside of requests, each place in the code."""
        return Counter(lease.route or lease.origin for lease in list(self.out.values()))

    @property
    def mean_age(self) -> float:
        """The mean age of the leases that are no leaks, in seconds; 0 if there are none."""
        ages = [lease.age for lease in list(self.out.values()) if not lease.tier]
        return sum(ages) / len(ages) if ages else 0

    def report_leaks(self, alerts: Alerts) -> None:
        """Log new leaks, and those that came back, and tell `alerts` of them."""
        for lease in list(self.out.values()):
            if not lease.tier and (tier := self._tier(lease)):
                lease.tier = tier
                self._report(lease, alerts)
        while self._lost:
            self._report_lost(self._lost.popleft(), alerts)
        while self._returned:
            self._report_return(self._returned.popleft(), alerts)

    def _tier(self, lease: Lease) -> str:
        was_orphaned, lease.looks_orphaned = lease.looks_orphaned, lease.is_orphaned
        if was_orphaned and lease.looks_orphaned:
            return "orphaned"
        if 0 < self._threshold <= lease.age and not lease.may_be_kept:
            return "held"
        return ""

    def _report_lost(self, lease: Lease, alerts: Alerts) -> None:
        is_known, lease.tier = bool(lease.tier), "collected"
        self._collected.append(lease.leak())
        if not is_known:
            self._report(lease, alerts)

    def _report(self, lease: Lease, alerts: Alerts) -> None:
        leak = lease.leak()
        LEAKS.labels(self._pool, leak.tier).inc()
        details = leak.model_dump()
        _log.warning("connection leak", pool=self._pool, **details)
        alerts.fire(
            Alert(
                key=self._key("lost" if leak.tier == "collected" else "leak", leak.origin),
                title=_TITLES[leak.tier].format(pool=self._pool, age=leak.age, origin=leak.origin),
                details=details,
                lasts=leak.tier != "collected",
            )
        )

    def _report_return(self, lease: Lease, alerts: Alerts) -> None:
        _log.info(
            "leaked connection came back",
            pool=self._pool,
            tier=lease.tier,
            origin=lease.origin,
            age=round(lease.age, 3),
            request_id=lease.request.request_id,
        )
        others = [other for other in list(self.out.values()) if other.tier]
        if all(other.origin != lease.origin for other in others):
            alerts.resolve(
                self._key("leak", lease.origin),
                f"The {self._pool} connection taken at {lease.origin} came back",
                {"age": round(lease.age, 3)},
            )

    def _key(self, subject: str, origin: str) -> str:
        return f"{subject}:{self._pool}:{origin}"
