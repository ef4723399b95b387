"""Asking Redis whether it answers, on a connection that no pool has to spare."""

from ..config import Settings
from ..redis.client import create_redis


class RedisServer:
    """Redis, over one connection that redis-py opens again when it is broken."""

    def __init__(self, settings: Settings) -> None:
        self._client = create_redis(
            settings, timeout=settings.health.server_timeout, max_connections=1
        )

    async def ask(self) -> None:
        await self._client.ping()

    def abort(self) -> None:
        """Nothing to do: redis-py drops the connection of a command that is cancelled."""

    async def close(self) -> None:
        await self._client.aclose()
