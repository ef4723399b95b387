"""The connection on which Redis is asked whether it takes writes. No pool has to spare it."""

from typing import Any

from redis.exceptions import RedisError

from ..config import Settings
from ..redis.client import create_redis


class ReplicaError(ConnectionError):
    """The server takes no writes: another one is the primary now."""

    def __init__(self) -> None:
        super().__init__("the server takes no writes; it is a replica")


class RedisConnection:
    """One connection, which redis-py opens again when it is broken. The question is PING and ROLE.

    Where the user of the settings may not ask for the role, PING alone tells.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = create_redis(
            settings, timeout=settings.health.server_timeout, max_connections=1
        )

    async def ask(self) -> None:
        """Raise an error unless Redis answers, and takes writes."""
        both: Any = self._client.pipeline(transaction=False)
        pong, role = await both.ping().role().execute(raise_on_error=False)
        if isinstance(pong, RedisError):
            raise pong
        if isinstance(role, list) and role[0] != "master":
            await self._client.connection_pool.disconnect()  # the next one may reach the primary
            raise ReplicaError

    def abort(self) -> None:
        """Do nothing: redis-py drops the connection of a command that is cancelled."""

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
