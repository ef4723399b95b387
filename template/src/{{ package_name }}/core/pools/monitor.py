"""The base of the monitors of both pools: figures, saturation, leaks, recommendations."""

from collections import Counter, deque
from typing import Any

import structlog
from pydantic import BaseModel

from ..alerts.alerts import Alert, Alerts
from ..config.groups import DatabaseSettings, RedisSettings
from . import metrics
from .advice import PoolSize, recommend
from .leases import Leak
from .usage import Recent, Timing, Usage

_log = structlog.get_logger(__name__)

_CHECKS_REMEMBERED = 60
_MAX_TEXT = 300


class PoolFigures(BaseModel):
    """The figures of a pool; docs/pools.md explains them."""

    size: int | None
    """Connections that stay open; None where there is no pool."""
    max: int | None
    """Connections there may be; None if unlimited."""
    in_use: int
    """Connections that are taken, or being opened for someone."""
    idle: int
    """Connections that are open, and free."""
    overflow: int
    """Open connections beyond `size`."""
    waiters: int
    """Callers that wait until another gives a connection back."""
    utilisation: float | None
    """in_use of max, 0 to 1; None if unlimited."""
    timeouts: int
    """Waits for a connection that were given up, since the start."""
    wait: Timing
    """Time from asking for a connection to having it."""
    hold: Timing
    """Time from taking a connection to giving it back."""
    creation: Timing
    """The opening of a connection."""


class PoolReport(BaseModel):
    """The report of a pool, as the health endpoints and the status page show it."""

    figures: PoolFigures | None = None
    """None where the monitor is broken."""
    is_saturated: bool = False
    leaks: list[Leak] = []
    """The oldest first, not all of them where there are many."""
    leak_count: int = 0
    recommendations: list[str] = []


class Monitor:
    """Watches a pool. `size_name` is the setting that makes it larger."""

    def __init__(
        self, pool: str, size_name: str, settings: DatabaseSettings | RedisSettings
    ) -> None:
        self._pool = pool
        self._size_name = size_name
        self._warn_at = settings.pool_warn_at
        self._clear_at = settings.pool_clear_at
        self.usage = Usage(pool, settings.leak_threshold)
        self._recent = Recent(self.usage, _CHECKS_REMEMBERED)
        self._busiest: deque[Counter[str]] = deque(maxlen=_CHECKS_REMEMBERED)
        self._is_saturated = False

    def figures(self) -> PoolFigures:
        """Return the figures as they are now."""
        raise NotImplementedError

    async def check(self, alerts: Alerts) -> None:
        """Look for what a person should know, and tell `alerts`. Called every few seconds."""
        self._check_pool(alerts)

    def report(self, limit: int) -> PoolReport:
        """Report the pool, with `limit` leaks and recommendations at most. Raises nothing.

        A fault in the monitor must not look like one of the service.
        """
        try:
            leaks = sorted(self.leaks(), key=lambda leak: leak.age, reverse=True)
            return PoolReport(
                figures=self.figures(),
                is_saturated=self.is_saturated,
                leaks=[_shortened(leak) for leak in leaks[:limit]],
                leak_count=len(leaks),
                recommendations=[text[:_MAX_TEXT] for text in self.recommendations()[:limit]],
            )
        except Exception as error:
            _log.error("pool monitor broken", pool=self._pool, exc_info=error)
            return PoolReport()

    def leaks(self) -> list[Leak]:
        """Return the leaks not given back yet, and the last that were collected."""
        return self.usage.leases.leaks()

    def recommendations(self) -> list[str]:
        """Return what to change, and why, as sentences about the last minutes."""
        figures = self.figures()
        return recommend(
            self.usage,
            self._recent,
            sum([*self._busiest, self.usage.leases.routes()], Counter[str]()),
            PoolSize(self._size_name, figures.size, figures.max),
            is_short=self._is_saturated or figures.waiters > 0,
        )

    @property
    def is_saturated(self) -> bool:
        """Tell whether utilisation rose to the warning level and is above the clear level still."""
        return self._is_saturated

    def refresh(self) -> None:
        """Set the gauges that Prometheus scrapes."""
        figures = self.figures()
        unlimited = float("inf")
        metrics.COUNT.labels("used", self._pool).set(figures.in_use)
        metrics.COUNT.labels("idle", self._pool).set(figures.idle)
        metrics.MAX.labels(self._pool).set(unlimited if figures.max is None else figures.max)
        metrics.IDLE_MAX.labels(self._pool).set(figures.size or 0)
        metrics.IDLE_MIN.labels(self._pool).set(0)
        metrics.PENDING.labels(self._pool).set(figures.waiters)

    def _check_pool(self, alerts: Alerts) -> None:
        figures = self.figures()
        utilisation = figures.utilisation or 0
        is_full = utilisation >= self._warn_at or self._recent.since_last_check("timeouts") > 0
        if is_full or figures.waiters:
            self._busiest.append(self.usage.leases.routes())
        elif self._busiest:
            self._busiest.append(Counter())
        key = f"pool:{self._pool}"
        if is_full and not self._is_saturated:
            self._is_saturated = True
            alerts.fire(
                Alert(
                    key=key,
                    title=f"The pool of {self._pool} connections is saturated",
                    details=_summary(figures) | {"recommendations": self.recommendations()},
                )
            )
        elif self._is_saturated and not is_full and utilisation <= self._clear_at:
            self._is_saturated = False
            title = f"The pool of {self._pool} connections is no longer saturated"
            alerts.resolve(key, title, _summary(figures))
        self.usage.leases.report_leaks(alerts)
        self._recent.note()
        self.refresh()


def _shortened(leak: Leak) -> Leak:
    texts = {name: value[:_MAX_TEXT] for name, value in leak if isinstance(value, str)}
    return leak.model_copy(update=texts)


def _summary(figures: PoolFigures) -> dict[str, Any]:
    return figures.model_dump(exclude={"wait", "hold", "creation"})
