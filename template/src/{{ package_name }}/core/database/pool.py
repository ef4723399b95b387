"""SQLAlchemy's pool of connections, with figures and leases."""

import logging
import time
from typing import Final, Self

from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection

from ..pools.usage import Usage

# SQLAlchemy names a pool's logger after its class. Its own pools are as quiet.
logging.getLogger(f"{__name__}.MonitoredPool").setLevel(logging.WARNING)


TEST_AFTER_SECONDS: Final = 5.0
"""A connection that was idle for so long is tested before it is used, by two messages."""


class MonitoredPool(AsyncAdaptedQueuePool):
    """A pool that notes its waits and leases in `usage`, once a `PoolMonitor` has given it one."""

    usage: Usage | None = None

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        if _is_surely_open(record):
            record.fresh = True  # type: ignore[attr-defined]  # SQLAlchemy does not test it then
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        record.info[_RETURNED] = time.monotonic()
        super()._do_return_conn(record)

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


_RETURNED: Final = "returned"


def _is_surely_open(record: ConnectionPoolEntry) -> bool:
    """Whether the connection was in use a moment ago, and its server has not closed it since.

    One that was idle for longer may have been cut off, by a firewall say, without a word.
    """
    connection = record.driver_connection
    return (
        connection is not None
        and time.monotonic() - record.info.get(_RETURNED, 0) < TEST_AFTER_SECONDS
        and not connection.is_closed()
    )
