"""The connection on which Redis is asked whether it answers. No pool has to spare it."""

from ..config import Settings
from ..redis.client import create_redis


class RedisConnection:
    """One connection, which redis-py opens again when it is broken. The question is PING."""

    def __init__(self, settings: Settings) -> None:
        self._client = create_redis(
            settings, timeout=settings.health.server_timeout, max_connections=1
        )

    async def ask(self) -> None:
        """Raise an error unless Redis answers."""
        await self._client.ping()

    def abort(self) -> None:
        """Do nothing: redis-py drops the connection of a command that is cancelled."""

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
