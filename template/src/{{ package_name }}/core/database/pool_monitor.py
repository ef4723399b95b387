"""What the pools of connections do, and who holds their connections."""

import time
from collections import Counter, deque
from typing import Any
from weakref import WeakSet

from pydantic import BaseModel
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from ..config import Settings
from ..config.settings import DatabaseSettings, RedisSettings
from ..observability.alerts import Alert, Alerts
from . import pool_metrics
from .leases import Leak
from .pool import MonitoredPool
from .pool_usage import Recent, Timing, Usage
from .recommendations import PoolSettings, recommend
from .redis import create_redis
from .redis_pool import MonitoredRedisPool

__all__ = ["Leak", "PoolFigures", "PoolMonitor", "RedisPoolMonitor", "Timing"]

_CHECKS_REMEMBERED = 60


class PoolFigures(BaseModel):
    size: int | None
    """Connections that stay open; None where there is no pool."""
    max: int | None
    """Connections there may be; None if unlimited."""
    checked_out: int
    idle: int
    overflow: int
    waiters: int
    utilisation: float | None
    """checked_out of max, 0 to 1; None if unlimited."""
    timeouts: int
    """Waits for a connection that were given up, since the start."""
    wait: Timing
    hold: Timing
    creation: Timing


class _Monitor:
    """What the two have in common."""

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
        raise NotImplementedError

    def leaks(self) -> list[Leak]:
        """Those not given back yet, and the last that were collected."""
        return self.usage.leases.leaks()

    def recommendations(self) -> list[str]:
        """What to change, and why, by what happened within the last minutes."""
        figures = self.figures()
        return recommend(
            self.usage,
            self._recent,
            sum([*self._busiest, self.usage.leases.routes()], Counter[str]()),
            PoolSettings(self._size_name, figures.size, figures.max),
            is_short=self._is_saturated or figures.waiters > 0,
        )

    @property
    def is_saturated(self) -> bool:
        """Whether utilisation rose to the warning level, and has not fallen to the clear level."""
        return self._is_saturated

    def refresh(self) -> None:
        """Set the gauges that Prometheus scrapes."""
        figures = self.figures()
        unlimited = float("inf")
        pool_metrics.COUNT.labels("used", self._pool).set(figures.checked_out)
        pool_metrics.COUNT.labels("idle", self._pool).set(figures.idle)
        pool_metrics.MAX.labels(self._pool).set(unlimited if figures.max is None else figures.max)
        pool_metrics.IDLE_MAX.labels(self._pool).set(figures.size or 0)
        pool_metrics.IDLE_MIN.labels(self._pool).set(0)
        pool_metrics.PENDING.labels(self._pool).set(figures.waiters)

    def _check(self, alerts: Alerts) -> None:
        figures = self.figures()
        utilisation = figures.utilisation or 0
        is_full = utilisation >= self._warn_at or self._recent.since_last_check("timeouts") > 0
        if is_full or figures.waiters:
            self._busiest.append(self.usage.leases.routes())
        elif self._busiest:
            self._busiest.append(Counter())
        key = f"pool {self._pool}"
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
        self.usage.leases.check(alerts)
        self._recent.note()
        self.refresh()


def _summary(figures: PoolFigures) -> dict[str, Any]:
    return figures.model_dump(exclude={"wait", "hold", "creation"})


class PoolMonitor(_Monitor):
    """Watches the pool of an engine, of whatever kind it is.

    Where a listener of the engine opens its connections itself, make the monitor before it.
    """

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        super().__init__("database", "DB_POOL_SIZE", settings.db)
        self._engine = engine
        self._open: WeakSet[ConnectionPoolEntry] = WeakSet()
        if isinstance(engine.pool, MonitoredPool):
            engine.pool.usage = self.usage
        target = engine.sync_engine
        event.listen(target, "do_connect", self._before_connect)
        event.listen(target, "connect", self._on_connect)
        event.listen(target, "checkout", self._on_checkout)
        event.listen(target, "checkin", self._on_checkin)
        event.listen(target, "detach", self._on_detach)
        event.listen(target, "close", self._on_close)

    def figures(self) -> PoolFigures:
        pool = self._engine.pool  # another one after each dispose()
        out = len(self.usage.leases)
        size = limit = None
        idle = overflow = waiters = 0
        if isinstance(pool, QueuePool):
            # A connection that is being opened or tested is in use, too; one that was taken
            # before dispose() still is, though the new pool does not know of it.
            out = max(out, pool.checkedout())
            size = pool.size()
            idle = max(0, min(pool.checkedin(), len(self._open) - len(self.usage.leases)))
            overflow = max(0, pool.overflow())
        if isinstance(pool, MonitoredPool):
            limit, waiters = pool.limit, pool.waiters
        return PoolFigures(
            size=size,
            max=limit,
            checked_out=out,
            idle=idle,
            overflow=overflow,
            waiters=waiters,
            utilisation=out / limit if limit else None,
            timeouts=self.usage.timeouts,
            wait=self.usage.wait.timing(),
            hold=self.usage.hold.timing(),
            creation=self.usage.creation.timing(),
        )

    def check(self, alerts: Alerts) -> None:
        """Look for what a person should know. Called every few seconds."""
        self._check(alerts)

    def _before_connect(
        self, _dialect: Any, record: ConnectionPoolEntry, _args: Any, _options: Any
    ) -> None:
        record.info["connecting_since"] = time.monotonic()

    def _on_connect(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.add(record)
        if since := record.info.pop("connecting_since", None):
            self.usage.created(since)

    def _on_checkout(self, _connection: Any, record: ConnectionPoolEntry, holder: Any) -> None:
        self.usage.taken(record, holder)

    def _on_checkin(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self.usage.given_back(record)

    def _on_detach(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.discard(record)
        self.usage.given_back(record)

    def _on_close(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.discard(record)


class RedisPoolMonitor(_Monitor):
    """Watches the pool of a client that `create_redis` made. `close()` it in the end."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        super().__init__("redis", "REDIS_MAX_CONNECTIONS", settings.redis)
        pool = client.connection_pool
        assert isinstance(pool, MonitoredRedisPool)
        pool.usage = self.usage
        self._connections = pool
        self._probe = create_redis(settings, max_connections=1)
        self._slow = settings.redis.slow_ping
        self._was_slow = False
        self._latency: float | None = None

    def figures(self) -> PoolFigures:
        pool = self._connections
        out = pool.checked_out
        return PoolFigures(
            size=pool.max_connections,
            max=pool.max_connections,
            checked_out=out,
            idle=pool.idle,
            overflow=0,
            waiters=pool.waiters,
            utilisation=out / pool.max_connections,
            timeouts=self.usage.timeouts,
            wait=self.usage.wait.timing(),
            hold=self.usage.hold.timing(),
            creation=self.usage.creation.timing(),
        )

    @property
    def latency(self) -> float | None:
        """Seconds of the last PING; None if it was not answered."""
        return self._latency

    async def check(self, alerts: Alerts) -> None:
        """As PoolMonitor's; also measures the latency, and takes back what was lost."""
        await self._connections.take_back_lost()
        self._check(alerts)
        await self._ping()
        self._tell_slowness(alerts)

    async def close(self) -> None:
        await self._probe.aclose()

    async def _ping(self) -> None:
        since = time.monotonic()
        try:
            await self._probe.ping()
        except (RedisError, OSError, TimeoutError):
            self._latency = None
        else:
            self._latency = time.monotonic() - since
            pool_metrics.PING.observe(self._latency)

    def _tell_slowness(self, alerts: Alerts) -> None:
        is_slow = self._latency is not None and self._latency >= self._slow
        if is_slow and self._was_slow:
            title = "Redis answers slowly"
            alerts.fire(Alert(key="redis slow", title=title, details={"ping": self._latency}))
        elif self._was_slow and not is_slow and self._latency is not None:
            alerts.resolve("redis slow", "Redis is as fast as before", {"ping": self._latency})
        if self._latency is not None:
            self._was_slow = is_slow
