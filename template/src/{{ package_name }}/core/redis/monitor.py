"""The monitor of the pool of connections to Redis."""

import time

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ..alerts.alerts import Alert, Alerts
from ..config import Settings
from ..pools import metrics
from ..pools.monitor import Monitor, PoolFigures
from .client import create_redis
from .pool import MonitoredRedisPool


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
        out = pool.in_use
        return PoolFigures(
            size=pool.max_connections,
            max=pool.max_connections,
            in_use=out,
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
        """Look for what a person should know; measure the latency, and take back what was lost."""
        await self._connections.take_back_lost()
        await super().check(alerts)
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
            metrics.PING.observe(self._latency)

    def _tell_slowness(self, alerts: Alerts) -> None:
        if self._latency is None:
            return
        details = {"ping": round(self._latency, 6)}
        if self._latency >= self._slow:
            self._slow_checks += 1
            if self._slow_checks == 2:
                alerts.fire(Alert("latency:redis", "Redis answers slowly", details))
            return
        if self._slow_checks > 1:
            alerts.resolve("latency:redis", "Redis is as fast as before", details)
        self._slow_checks = 0
