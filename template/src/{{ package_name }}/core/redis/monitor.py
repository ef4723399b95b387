"""The monitor of the pool of connections to Redis."""

from redis.asyncio import Redis

from ..alerts.alerts import Alerts
from ..config import Settings
from ..pools.monitor import Monitor, PoolFigures
from .pool import MonitoredRedisPool


class RedisPoolMonitor(Monitor):
    """Watches the pool of a client that `create_redis` made."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        super().__init__("redis", "REDIS_MAX_CONNECTIONS", settings.redis)
        pool = client.connection_pool
        assert isinstance(pool, MonitoredRedisPool)
        pool.usage = self.usage
        self._connections = pool

    def figures(self) -> PoolFigures:
        """Return the figures as they are now."""
        pool = self._connections
        in_use = pool.in_use
        return PoolFigures(
            size=pool.max_connections,
            max=pool.max_connections,
            in_use=in_use,
            idle=pool.idle,
            overflow=0,
            waiters=pool.waiters,
            utilisation=in_use / pool.max_connections,
            timeouts=self.usage.timeouts,
            wait=self.usage.wait.timing(),
            hold=self.usage.hold.timing(),
            creation=self.usage.creation.timing(),
        )

    async def check(self, alerts: Alerts) -> None:
        """Free the connections that were lost, and look for what a person should know."""
        await self._connections.take_back_lost()
        await super().check(alerts)
