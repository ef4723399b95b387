"""redis-py's blocking pool, with figures, and with leases for its connections."""

import time
from typing import Any, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MaxConnectionsError

from ..pools.usage import Usage

_NONE_FREE = "No connection available."  # what redis-py calls it


class MonitoredRedisPool(BlockingConnectionPool):
    """Raises MaxConnectionsError, with figures, where no connection becomes free in time."""

    usage: Usage | None = None

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        usage = self.usage
        if usage is None:
            return await self._get_connection()
        since = time.monotonic()
        usage.pending += 1
        try:
            connection = await self._get_connection()
        except RedisConnectionError as error:
            if str(error) != _NONE_FREE:
                raise
            usage.timed_out()
            raise MaxConnectionsError(f"No connection became free: {self.state()}") from error
        finally:
            usage.pending -= 1
        now = time.monotonic()
        usage.wait.noted.append(now - since)
        usage.taken(connection, None, now)
        return connection

    async def _get_connection(self) -> AbstractConnection:
        connection = await super().get_connection()  # type: ignore[no-untyped-call]
        return cast(AbstractConnection, connection)

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        is_open, since = connection.is_connected, time.monotonic()
        await super().ensure_connection(connection)
        if self.usage is not None and not is_open:
            self.usage.creation.noted.append(time.monotonic() - since)

    async def release(self, connection: AbstractConnection) -> None:
        if self.usage is not None:
            self.usage.given_back(connection)
        await super().release(connection)

    async def take_back_lost(self) -> None:
        """Free the connections whose holders are gone: redis-py would keep them in use forever."""
        for connection in self.usage.leases.lost() if self.usage is not None else ():
            assert isinstance(connection, AbstractConnection)
            await connection.disconnect(nowait=True)
            await self.release(connection)

    @property
    def idle(self) -> int:
        return int(self.get_connection_count()[0][0])

    @property
    def in_use(self) -> int:
        return int(self.get_connection_count()[1][0])

    @property
    def waiters(self) -> int:
        """Callers that wait for another to give a connection back."""
        if self.usage is None:
            return 0
        opening = max(0, self.in_use - len(self.usage.leases))
        return max(0, self.usage.pending - opening)

    def state(self) -> str:
        in_use, idle = self.in_use, self.idle
        return f"total={in_use + idle}, in_use={in_use}, idle={idle}, waiting={self.waiters}"


class MonitoredRedis(Redis):
    """A client whose subscriptions are not taken for leaks, unless they are lost."""

    def pubsub(self, **options: Any) -> PubSub:
        return _Subscription(self.connection_pool, **options)


class _Subscription(PubSub):
    async def connect(self) -> None:
        await super().connect()  # type: ignore[no-untyped-call]
        usage = getattr(self.connection_pool, "usage", None)
        if usage is not None:
            usage.leases.held_by(self.connection, self)
