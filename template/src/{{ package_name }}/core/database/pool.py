"""SQLAlchemy's pool of connections, with figures and leases."""

import logging
import time
from typing import Self

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection

from ..pools.usage import Usage

# SQLAlchemy names a pool's logger after its class. Its own pools are as quiet.
logging.getLogger(f"{__name__}.MonitoredPool").setLevel(logging.WARNING)


class MonitoredPool(AsyncAdaptedQueuePool):
    """A pool that notes its waits and leases in `usage`, once a `PoolMonitor` has given it one."""

    usage: Usage | None = None

    def connect(self) -> PoolProxiedConnection:
        """Take a connection. Raises SQLAlchemy's TimeoutError, whose text ends with the figures."""
        usage = self.usage
        if usage is None:
            return super().connect()
        since = time.monotonic()
        usage.pending += 1
        try:
            connection = super().connect()
        except PoolTimeoutError as error:
            usage.timed_out()
            error.args = (f"{error.args[0]} ({usage.state(self.checkedout(), self.checkedin())})",)
            raise
        finally:
            usage.pending -= 1
        now = time.monotonic()
        usage.wait.note(now - since)
        usage.taken(connection.dbapi_connection, connection, now)
        return connection

    @property
    def limit(self) -> int | None:
        """Connections there may be; None if unlimited."""
        return None if self._max_overflow == -1 else self.size() + self._max_overflow

    @property
    def waiters(self) -> int:
        """Callers that wait for another to give a connection back."""
        return self.usage.waiters(self.checkedout()) if self.usage is not None else 0

    def recreate(self) -> Self:
        """Return an empty pool like this one, as `dispose()` asks for."""
        pool = super().recreate()
        assert isinstance(pool, type(self))
        pool.usage = self.usage
        return pool
