"""redis-py's blocking pool of connections, with figures and leases.

The client's connections are closed where Redis says that it takes no writes: it was the primary
when they were opened, and the next ones go to where that is now.
"""

import time
from typing import Any, NoReturn, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline, PubSub
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MaxConnectionsError, ReadOnlyError

from ..pools.usage import Usage

_NONE_IS_FREE = "No connection available."  # redis-py's text


class MonitoredRedisPool(BlockingConnectionPool):
    """A pool that notes its waits and leases in `usage`, once a monitor has given it one."""

    usage: Usage | None = None

    async def get_connection(self, *_: Any, **__: Any) -> AbstractConnection:
        """Take a connection. Raises MaxConnectionsError, with figures, if none is free in time."""
        usage = self.usage
        if usage is None:
            return await self._get_connection()
        since = time.monotonic()
        usage.pending += 1
        try:
            connection = await self._get_connection()
        except RedisConnectionError as error:
            if str(error) != _NONE_IS_FREE:
                raise
            usage.timed_out()
            state = usage.state(self.in_use, self.idle)
            raise MaxConnectionsError(f"No connection became free: {state}") from error
        finally:
            usage.pending -= 1
        now = time.monotonic()
        usage.wait.note(now - since)
        usage.taken(connection, None, now)
        return connection

    async def _get_connection(self) -> AbstractConnection:
        connection = await super().get_connection()  # type: ignore[no-untyped-call]
        return cast(AbstractConnection, connection)

    async def ensure_connection(self, connection: AbstractConnection) -> None:
        is_open, since = connection.is_connected, time.monotonic()
        await super().ensure_connection(connection)
        if self.usage is not None and not is_open:
            self.usage.creation.note(time.monotonic() - since)

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
        """Connections that are open, and free."""
        return int(self.get_connection_count()[0][0])

    @property
    def in_use(self) -> int:
        """Connections that are taken."""
        return int(self.get_connection_count()[1][0])

    @property
    def waiters(self) -> int:
        """Callers that wait for another to give a connection back."""
        return self.usage.waiters(self.in_use) if self.usage is not None else 0


class MonitoredRedis(Redis):
    """A client whose subscriptions are not taken for leaks, unless they are lost.

    Raises redis-py's ConnectionError where Redis takes no writes, as its client for Sentinel does.
    """

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except ReadOnlyError as error:
            await _renew(self.connection_pool, error)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def pubsub(self, **options: Any) -> PubSub:
        return _Subscription(self.connection_pool, **options)


class _Pipeline(Pipeline):
    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        try:
            answers: list[Any] = await super().execute(raise_on_error)
        except ReadOnlyError as error:
            await _renew(self.connection_pool, error)
        for answer in answers:
            if isinstance(answer, ReadOnlyError):
                await _renew(self.connection_pool, answer)
        return answers


async def _renew(pool: Any, error: ReadOnlyError) -> NoReturn:
    """Close the free connections, the one that said so among them."""
    await pool.disconnect(inuse_connections=False)
    raise RedisConnectionError("Redis takes no writes: it is a replica now") from error


class _Subscription(PubSub):
    async def connect(self) -> None:
        await super().connect()  # type: ignore[no-untyped-call]
        usage = getattr(self.connection_pool, "usage", None)
        if usage is not None:
            usage.leases.held_by(self.connection, self)
