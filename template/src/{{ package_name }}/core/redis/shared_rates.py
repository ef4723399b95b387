"""Limits of how often something may happen, for each of many, in all replicas together."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, RedisError

_log = structlog.get_logger(__name__)

ANSWER_SECONDS = 0.1
"""For so long a request waits for Redis at most."""
_OFF_SECONDS = 1.0
_WINDOW_SECONDS = 2
_PART = 8


@dataclass(slots=True)
class _Share:
    """The part of a window's times that this process has taken, and has not used up yet."""

    window: int = -1
    left: int = 0
    cost: int = 1
    """Times to take next."""
    is_last: bool = False
    """Set when there is no more to take."""
    asking: asyncio.Task[None] | None = None


class SharedRates:
    """At most `rate` times a second for each: twice as many in each 2 seconds, which Redis counts.

    A process takes some of them ahead, first one and then twice as many as before, and an eighth
    of what is left at most: so it asks Redis seldom, and all together never have more than the
    limit. The clocks of the replicas have to agree. Without Redis everything is allowed.

    Built on what `limits` counts with; its strategies would ask Redis each time.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        rate: float,
        is_down: Callable[[], bool] = lambda: False,
        size: int = 10_000,
    ) -> None:
        """It knows of the last `size` that came. `is_down` tells what is known of Redis."""
        from limits.aio.storage import RedisStorage  # noqa: PLC0415  # 65 ms, for no command

        self.seconds = max(_WINDOW_SECONDS, math.ceil(_WINDOW_SECONDS / rate))
        self.limit = int(rate * self.seconds)
        self._pool = client.connection_pool
        self._storage = RedisStorage(
            "async+redis://localhost:6379",  # is not used, as there is a pool
            implementation="redispy",
            key_prefix=prefix,
            connection_pool=self._pool,  # type: ignore[arg-type]
        )
        self._is_down = is_down
        self._size = size
        self._shares: dict[bytes, _Share] = {}  # the least recent first
        self._off_until = 0.0
        self._is_told = False

    def take(self, who: bytes) -> float | None:
        """Count one time of `who`, or return the seconds until there may be one more.

        None: `ask` has to.
        """
        if self._off_until:
            if time.monotonic() < self._off_until or self._is_down():
                return 0
            self._off_until = 0
        now = time.time()
        share = self._shares.get(who)
        if share is None or share.window != now // self.seconds:
            return None
        if share.left:
            share.left -= 1
            return 0
        return (share.window + 1) * self.seconds - now if share.is_last else None

    async def ask(self, who: bytes) -> float:
        """Do as `take`, and take more times from Redis where that is needed."""
        while (seconds := self.take(who)) is None:
            share = self._shares.pop(who, None) or _Share()
            self._shares[who] = share
            if len(self._shares) > self._size:
                del self._shares[next(iter(self._shares))]
            if share.asking is None:
                share.asking = asyncio.create_task(self._take_more(who, share))
            await asyncio.shield(share.asking)  # others wait for the same answer
        return seconds

    async def _take_more(self, who: bytes, share: _Share) -> None:
        try:
            await self._take(who, share)
        except (RedisError, OSError, TimeoutError) as error:
            self._off_until = time.monotonic() + _OFF_SECONDS
            if isinstance(error, ReadOnlyError):  # the next connection may reach the primary
                await self._pool.disconnect(inuse_connections=False)
            if not self._is_told:
                _log.warning("limits are not shared", error=repr(error))
            self._is_told = True
        else:
            self._is_told = False
        finally:
            share.asking = None

    async def _take(self, who: bytes, share: _Share) -> None:
        if self._is_down():
            raise ConnectionError("Redis is down")
        window = int(time.time() // self.seconds)
        if share.window != window:
            share.window, share.left, share.cost, share.is_last = window, 0, 1, False
        async with asyncio.timeout(ANSWER_SECONDS):
            key = f"{who[:16].hex()}:{window}"
            count = await self._storage.incr(key, 2 * self.seconds, share.cost)
        share.left += max(0, share.cost - max(0, count - self.limit))
        share.is_last = count >= self.limit
        share.cost = max(1, min(2 * share.cost, (self.limit - count) // _PART))
