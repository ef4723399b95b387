"""The Redis clients: one that sends each command once, and one that only reads, and may retry."""

from functools import partial
from typing import Annotated, Any

from fastapi import Depends
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import MaxConnectionsError
from starlette.requests import HTTPConnection

from ..config import Settings
from .pool import MonitoredRedis, MonitoredRedisPool


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
    pool = MonitoredRedisPool(**(options | settings.redis_options))
    return MonitoredRedis.from_pool(pool)


# Those that change nothing, so that a second time does no harm. The server refuses writes in *_RO.
READS = frozenset(
    {
        *("BITCOUNT", "BITPOS", "DBSIZE", "EVALSHA_RO", "EVAL_RO", "EXISTS", "EXPIRETIME"),
        *("FCALL_RO", "GEODIST", "GEOHASH", "GEOPOS", "GEOSEARCH", "GET", "GETBIT", "GETRANGE"),
        *("HEXISTS", "HGET", "HGETALL", "HKEYS", "HLEN", "HMGET", "HRANDFIELD", "HSCAN", "HSTRLEN"),
        *("HVALS", "INFO", "LINDEX", "LLEN", "LPOS", "LRANGE", "MGET", "PEXPIRETIME", "PFCOUNT"),
        *("PING", "PTTL", "SCAN", "SCARD", "SDIFF", "SINTER", "SINTERCARD", "SISMEMBER"),
        *("SMEMBERS", "SMISMEMBER", "SORT_RO", "SRANDMEMBER", "SSCAN", "STRLEN", "SUNION", "TIME"),
        *("TTL", "TYPE", "XINFO", "XLEN", "XPENDING", "XRANGE", "XREVRANGE", "ZCARD", "ZCOUNT"),
        *("ZDIFF", "ZINTER", "ZINTERCARD", "ZLEXCOUNT", "ZMSCORE", "ZRANDMEMBER", "ZRANGE"),
        *("ZRANK", "ZREVRANGE", "ZREVRANK", "ZSCAN", "ZSCORE", "ZUNION"),
    }
)


class RedisReads(Redis):
    """A client that only reads, on another one's pool, and asks again where no answer came.

    Raises TypeError for a command that may write, and for pipelines and subscriptions.
    """

    def __init__(self, client: Redis) -> None:
        super().__init__(connection_pool=client.connection_pool)
        self._again = Retry(ExponentialWithJitterBackoff(base=0.01, cap=0.1), retries=2)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        command = str(args[0]).partition(" ")[0].upper()
        if command not in READS:
            raise TypeError(f"{command} may write; use the client that sends a command once")
        return await self._again.call_with_retry(
            partial(super().execute_command, *args, **options),
            _do_nothing,
            is_retryable=_may_succeed,
        )

    def pipeline(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a pipeline may write; use the client that sends a command once")

    def pubsub(self, **_: Any) -> Any:
        raise TypeError("subscribe with the client that sends a command once")

    def monitor(self) -> Any:
        raise TypeError("MONITOR is no read; use the client that sends a command once")


async def _do_nothing(_error: Exception) -> None:
    pass


def _may_succeed(error: Exception) -> bool:
    return not isinstance(error, MaxConnectionsError)  # it has waited for long enough


def get_redis(connection: HTTPConnection) -> Redis:
    """The application's client, as a FastAPI dependency."""
    client: Redis = connection.app.resources.redis
    return client


def get_reads(connection: HTTPConnection) -> RedisReads:
    """A client for reads on the pool of the application's client."""
    return RedisReads(connection.app.resources.redis)


RedisDep = Annotated[Redis, Depends(get_redis)]
ReadsDep = Annotated[RedisReads, Depends(get_reads)]
