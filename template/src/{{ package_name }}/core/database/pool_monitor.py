"""The monitor of the pool of connections to PostgreSQL. Redis' can be imported from here, too."""

import time
from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.util import greenlet_spawn

from ..alerts.alerts import Alerts
from ..config import Settings
from ..pools.leases import Leak
from ..pools.monitor import Monitor, PoolFigures
from ..pools.usage import Timing
from ..redis.monitor import RedisPoolMonitor
from .pool import OPENED_AT, MonitoredPool

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
        """Return the figures as they are now."""
        pool = self._engine.pool  # another one after each dispose()
        in_use = len(self.usage.leases)
        size = limit = None
        idle = overflow = waiters = 0
        if isinstance(pool, QueuePool):
            # A connection that is being opened or tested is in use, too; one that was taken
            # before dispose() still is, though the new pool does not know of it.
            in_use = max(in_use, pool.checkedout())
            size = pool.size()
            idle = max(0, min(pool.checkedin(), len(self._open) - len(self.usage.leases)))
            overflow = max(0, pool.overflow())
        if isinstance(pool, MonitoredPool):
            limit, waiters = pool.limit, pool.waiters
        return PoolFigures(
            size=size,
            max=limit,
            in_use=in_use,
            idle=idle,
            overflow=overflow,
            waiters=waiters,
            utilisation=in_use / limit if limit else None,
            timeouts=self.usage.timeouts,
            wait=self.usage.wait.timing(),
            hold=self.usage.hold.timing(),
            creation=self.usage.creation.timing(),
        )

    async def check(self, alerts: Alerts) -> None:
        """Close the connections that a rush has left, and look for what a person should know."""
        pool = self._engine.pool
        if isinstance(pool, MonitoredPool):
            await greenlet_spawn(pool.close_surplus)
        await super().check(alerts)

    def _before_connect(
        self, _dialect: Any, record: ConnectionPoolEntry, _args: Any, _options: Any
    ) -> None:
        record.info[OPENED_AT] = time.monotonic()

    def _on_connect(self, _connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.add(record)
        if since := record.info.get(OPENED_AT):
            self.usage.creation.note(time.monotonic() - since)

    def _on_checkout(self, connection: Any, _record: ConnectionPoolEntry, holder: Any) -> None:
        self.usage.taken(connection, holder, time.monotonic())

    def _on_detach(self, connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.discard(record)
        self.usage.given_back(connection)

    def _on_close(self, connection: Any, record: ConnectionPoolEntry) -> None:
        self._open.discard(record)
        self.usage.given_back(connection)  # it may be taken away from who has it
