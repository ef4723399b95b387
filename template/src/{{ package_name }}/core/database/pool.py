"""SQLAlchemy's pool, with waits that are counted."""

import logging
import time
from typing import Self

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, PoolProxiedConnection

from ..pools.usage import Usage

# SQLAlchemy names a pool's logger after its class. Its own pools are as quiet.
logging.getLogger(f"{__name__}.MonitoredPool").setLevel(logging.WARNING)


class MonitoredPool(AsyncAdaptedQueuePool):
    usage: Usage | None = None

    def connect(self) -> PoolProxiedConnection:
        usage = self.usage
        if usage is None:
            return super().connect()
        since = time.monotonic()
        usage.pending += 1
        try:
            connection = super().connect()
        except PoolTimeoutError as error:
            usage.timed_out()
            error.args = (f"{error.args[0]} ({self.state()})",)
            raise
        finally:
            usage.pending -= 1
        now = time.monotonic()
        usage.wait.noted.append(now - since)
        usage.taken(connection.dbapi_connection, connection, now)
        return connection

    @property
    def limit(self) -> int | None:
        """Connections there may be; None if unlimited."""
        return None if self._max_overflow == -1 else self.size() + self._max_overflow

    @property
    def waiters(self) -> int:
        """Callers that wait for another to give a connection back."""
        if self.usage is None:
            return 0
        # Of those that have no connection yet, some only wait for it to be opened or tested.
        busy = max(0, self.checkedout() - len(self.usage.leases))
        return max(0, self.usage.pending - busy)

    def state(self) -> str:
        in_use, idle = self.checkedout(), self.checkedin()
        return f"total={in_use + idle}, in_use={in_use}, idle={idle}, waiting={self.waiters}"

    def recreate(self) -> Self:
        pool = super().recreate()
        assert isinstance(pool, type(self))
        pool.usage = self.usage
        return pool
