"""The monitors of the two pools: connections to PostgreSQL, and to Redis."""

import time
from typing import Any
from weakref import WeakSet

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from ..config import Settings
from ..observability.alerts import Alert, Alerts
from . import pool_metrics
from .leases import Leak
from .monitor import Monitor, PoolFigures
from .pool import MonitoredPool
from .pool_usage import Timing
from .redis import create_redis
from .redis_pool import MonitoredRedisPool

__all__ = ["Leak", "PoolFigures", "PoolMonitor", "RedisPoolMonitor", "Timing"]


class PoolMonitor(Monitor):
    """Watches the pool of an engine, of whatever kind it is.

    Where a listener of the engine opens its connections itself, make the monitor before it.
    """

    def __init__(self, engine: AsyncEngine, settings: Settings) -> None:
        super().__init__("database", "DB_POOL_SIZE", settings.db)
        self._engine = engine
        self._open: WeakSet[ConnectionPoolEntry] = WeakSet()
        target = engine.sync_engine
        if isinstance(engine.pool, MonitoredPool):
            engine.pool.usage = self.usage
        else:
            event.listen(target, "checkout", self._on_checkout)
        event.listen(target, "do_connect", self._before_connect)
        event.listen(target, "connect", self._on_connect)
        event.listen(target, "checkin", self.usage.given_back)
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
        self._check_pool(alerts)

    def _before_connect(
        self, _dialect: Any, record: ConnectionPoolEntry, _args: Any, _options: Any
    ) -> None:
        record.info["connecting_since"] = time.monotonic()

    def _on_connect(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.add(record)
        if since := record.info.pop("connecting_since", None):
            self.usage.creation.noted.append(time.monotonic() - since)

    def _on_checkout(self, connection: Any, _record: ConnectionPoolEntry, holder: Any) -> None:
        self.usage.taken(connection, holder, time.monotonic())

    def _on_detach(self, connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.discard(record)
        self.usage.given_back(connection)

    def _on_close(self, connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.discard(record)
        self.usage.given_back(connection)  # it may be taken away from who has it


class RedisPoolMonitor(Monitor):
    """Watches the pool of a client that `create_redis` made. `close()` it in the end."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        super().__init__("redis", "REDIS_MAX_CONNECTIONS", settings.redis)
        pool = client.connection_pool
        assert isinstance(pool, MonitoredRedisPool)
        pool.usage = self.usage
        self._connections = pool
        self._probe = create_redis(settings, max_connections=1)
        self._slow = settings.redis.slow_ping
        self._slow_checks = 0  # in a row
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

    def recommendations(self) -> list[str]:
        advice = super().recommendations()
        if self._latency is not None and self._slow_checks > 1:
            took = f"Redis took {self._latency:.3f} s to answer PING"
            advice.insert(0, f"{took}: see Slow Redis in the runbook")
        return advice

    async def check(self, alerts: Alerts) -> None:
        """As PoolMonitor's; also measures the latency, and takes back what was lost."""
        await self._connections.take_back_lost()
        self._check_pool(alerts)
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
        if self._latency is None:
            return
        details = {"ping": round(self._latency, 6)}
        if self._latency >= self._slow:
            self._slow_checks += 1
            if self._slow_checks == 2:
                alerts.fire(Alert("redis slow", "Redis answers slowly", details))
            return
        if self._slow_checks > 1:
            alerts.resolve("redis slow", "Redis is as fast as before", details)
        self._slow_checks = 0
