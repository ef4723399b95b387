"""The Redis client, which sends each command once."""

from typing import Annotated, Any

from fastapi import Depends
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.requests import HTTPConnection

from ..config import Settings
from .pool import MonitoredRedis, MonitoredRedisPool


def create_redis(
    settings: Settings, *, timeout: float | None = None, max_connections: int | None = None
) -> Redis:
    """Create a client on a pool of its own. It opens no connection until one is needed.

    A command is sent once: where the answer is lost, a blind retry would apply it twice.
    `timeout` (seconds) bounds the wait for a free connection, for connecting and for an answer.
    """
    redis = settings.redis
    timeout = timeout or redis.timeout
    options: dict[str, Any] = {
        "max_connections": max_connections or redis.max_connections,
        "timeout": timeout,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), retries=0),
        "decode_responses": True,
    }
    pool = MonitoredRedisPool(**(options | settings.redis_options))
    return MonitoredRedis.from_pool(pool)


async def get_redis(connection: HTTPConnection) -> Redis:
    """FastAPI dependency: the application's client."""
    client: Redis = connection.app.resources.redis
    return client


RedisDep = Annotated[Redis, Depends(get_redis)]
