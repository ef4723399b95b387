"""SQLAlchemy's pool of connections, with figures and leases.

It waits where PostgreSQL itself has no connection left. It is renewed where one of its connections
is lost, or is to a server that takes no writes, since the others are to the same server. SQLAlchemy
tells their age by the clock on the wall, and would open one for each use after that was set back.
"""

import logging
import time
from collections import deque
from typing import Any, Final, Self
from weakref import WeakSet

import structlog
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util.queue import Empty

from ..pools.usage import Usage
from .unreachable import NoConnectionLeftError

_log = structlog.get_logger(__name__)

# SQLAlchemy names a pool's logger after its class. Its own pools are as quiet.
logging.getLogger(f"{__name__}.MonitoredPool").setLevel(logging.WARNING)

OPENED_AT = "opened_at"
"""Key of the time in a connection's `info` when its opening began, on the monotonic clock."""

_NOW = float("inf")
# Seconds in which one connection is tried to be opened, once PostgreSQL had none left.
_PAUSE = 1.0
# Calls of `close_surplus` for which a connection beyond the pool's size is kept: a minute's.
_PEAKS = 12


TEST_AFTER_SECONDS: Final = 5.0
"""A connection that was idle for so long is tested before it is used, by two messages."""


class MonitoredPool(AsyncAdaptedQueuePool):
    """A pool that notes its waits and leases in `usage`, once a `PoolMonitor` has given it one."""

    usage: Usage | None = None
    _renewed_at = 0.0
    _is_full_until = 0.0
    """Time to try again whether PostgreSQL has a connection left; 0 where it had one."""
    _told_at = float("-inf")

    def __init__(
        self,
        creator: Any,
        *,
        pool_size: int = 5,
        max_overflow: int = 10,
        recycle: float = -1,
        **options: Any,
    ) -> None:
        """Take SQLAlchemy's options. `recycle`, in seconds, is by the monotonic clock.

        Connections beyond `pool_size` stay open as long as they are needed now and then, see
        `close_surplus`: opening one costs PostgreSQL as much as some orders.
        """
        super().__init__(creator, pool_size=pool_size, max_overflow=max_overflow, **options)
        self._lifetime = recycle if recycle > -1 else float("inf")
        self._in_use_at_most = 0
        self._peaks: deque[int] = deque(maxlen=_PEAKS)
        self._records: WeakSet[ConnectionPoolEntry] = WeakSet()
        self._shape(pool_size)

    def _shape(self, size: int) -> None:
        """Keep `size` connections in any case. Nothing has been opened yet."""
        self._size = size
        self._overflow = -size
        if size and self._max_overflow > 0:
            self._pool = self._queue_class(size + self._max_overflow, self._pool.use_lifo)

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

    def renew(self, info: dict[str, Any] | None = None) -> None:
        """Close the connections that there are, each when it is free, instead of using them again.

        `info` is that of the connection that gave reason to: where the pool was renewed after it
        had been opened, its successors may be well.
        """
        if info is None or info.get(OPENED_AT, _NOW) >= self._renewed_at:
            self._renewed_at = time.monotonic()

    def cut(self, before: float) -> None:
        """Close at once what was opened before that time, on the monotonic clock, also if in use.

        Whoever waits for an answer there gets an error, as when the server closes the connection.
        """
        for record in list(self._records):
            connection: Any = record.driver_connection
            if connection is not None and record.info.get(OPENED_AT, _NOW) < before:
                connection.terminate()

    def _create_connection(self) -> ConnectionPoolEntry:
        record = super()._create_connection()
        self._records.add(record)
        return record

    def _invalidate(
        self,
        connection: PoolProxiedConnection,
        exception: BaseException | None = None,
        _checkin: bool = True,
    ) -> None:
        """Renew the pool, as SQLAlchemy asks for where a connection is lost."""
        self.renew(connection.info)
        if _checkin and connection.is_valid:
            connection.invalidate(exception)

    def close_surplus(self) -> None:
        """Close the free connections beyond `size()` that were not needed at the last calls.

        Call it every few seconds, in a greenlet of SQLAlchemy's.
        """
        self._peaks.append(max(self._in_use_at_most, self.checkedout()))
        self._in_use_at_most = 0
        needed = max(self._size, *self._peaks)
        while self._size + self._overflow > needed:
            try:
                record: Any = self._pool.get(False)
            except Empty:
                return
            if record.dbapi_connection is not None:
                record.driver_connection.terminate()
            record.close()
            self._dec_overflow()

    def size(self) -> int:
        return self._size

    def checkedout(self) -> int:
        return self._size - self._pool.qsize() + self._overflow

    def overflow(self) -> int:
        return self._overflow if self._size else 0

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self._in_use_at_most = max(self._in_use_at_most, self.checkedout())
        record.info[_RETURNED] = time.monotonic()
        super()._do_return_conn(record)

    def _do_get(self) -> ConnectionPoolEntry:
        give_up_at = time.monotonic() + self._timeout
        while True:
            now = time.monotonic()
            try:
                if now >= self._is_full_until:
                    if self._is_full_until:  # the others go on waiting
                        self._is_full_until = now + _PAUSE
                    record = self._opened(super()._do_get())
                    self._is_full_until = 0.0
                    return record
                wait = min(self._is_full_until, give_up_at) - now
                return self._opened(self._pool.get(True, wait))
            except NoConnectionLeftError as error:
                self._note_full(error)
            except Empty:
                if time.monotonic() >= give_up_at:
                    raise PoolTimeoutError(
                        "PostgreSQL has no connection left, and none that is in use became free"
                        f" within {self._timeout:g} seconds"
                    ) from None

    def _note_full(self, error: NoConnectionLeftError) -> None:
        now = time.monotonic()
        self._is_full_until = now + _PAUSE
        if now >= self._told_at + _PAUSE:  # many may have tried at once
            self._told_at = now
            _log.warning("database has no connection left", reason=error.reason)

    def _opened(self, record: Any) -> ConnectionPoolEntry:
        """Return the record with an open connection, neither too old nor of before a renewal."""
        opened_at = record.info.get(OPENED_AT, _NOW)
        try:
            if record.dbapi_connection is not None:
                if opened_at < self._renewed_at:
                    # Without a goodbye, which a frozen server would not answer.
                    record.driver_connection.terminate()
                    record.invalidate()
                elif time.monotonic() - opened_at > self._lifetime:
                    record.invalidate()
            if record.dbapi_connection is None:
                record.get_connection()
        except NoConnectionLeftError:
            self._dec_overflow()  # the record is forgotten: it would be found free at once
            raise
        except BaseException:
            self._do_return_conn(record)
            raise
        if _is_surely_open(record):
            record.fresh = True  # SQLAlchemy does not test it then
        entry: ConnectionPoolEntry = record
        return entry

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
        pool._shape(self._size)
        pool.usage = self.usage
        pool._lifetime = self._lifetime
        return pool


_RETURNED: Final = "returned"


def _is_surely_open(record: ConnectionPoolEntry) -> bool:
    """Tell whether it was in use a moment ago, and its server has not closed it since.

    One that was idle for longer may have been cut off, by a firewall say, without a word.
    """
    connection = record.driver_connection
    return (
        connection is not None
        and time.monotonic() - record.info.get(_RETURNED, 0) < TEST_AFTER_SECONDS
        and not connection.is_closed()
    )
