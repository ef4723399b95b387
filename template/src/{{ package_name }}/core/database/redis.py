"""The Redis client."""

from typing import Annotated, Any

from fastapi import Depends
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from starlette.requests import HTTPConnection

from ..config import Settings


def create_redis(
    settings: Settings, *, timeout: float | None = None, max_connections: int | None = None
) -> Redis:
    """A client on a pool of its own. Opens no connection until one is needed.

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
    pool = BlockingConnectionPool(**(options | settings.redis_options))
    return Redis.from_pool(pool)


def get_redis(connection: HTTPConnection) -> Redis:
    """The application's client, as a FastAPI dependency."""
    client: Redis = connection.app.state.redis
    return client


RedisDep = Annotated[Redis, Depends(get_redis)]
