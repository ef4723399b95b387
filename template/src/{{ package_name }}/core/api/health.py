"""Health of the service, for Kubernetes probes, load balancers and people.

Each check asks the server itself, on a connection of its own, within `HEALTH_TIMEOUT` seconds: a
busy pool delays no probe, and probes take no connection away from requests. Probes that come while
a check runs share it, so that no number of them opens a second connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool, NullPool

from ..config import Settings
from ..database.redis import create_redis
from ..database.session import WITHOUT_SESSION, Database

_log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[None]]

# After its deadline a check has to close its connection, which may take longer than a probe waits.
_CLOSE_SECONDS = 0.1


class Status(StrEnum):
    """`degraded` still serves requests."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


class HealthChecks:
    """Asks PostgreSQL and Redis whether they answer."""

    def __init__(self, settings: Settings) -> None:
        self.timeout = settings.health.timeout
        self._engine: AsyncEngine = create_async_engine(
            settings.sqlalchemy_url,
            poolclass=NullPool,
            connect_args={
                "timeout": self.timeout,
                **(WITHOUT_SESSION if settings.db.behind_pgbouncer else {}),
            },
        )
        self._redis = create_redis(settings, timeout=self.timeout, max_connections=1)
        self._running: dict[str, asyncio.Task[Status]] = {}

    async def database(self) -> Status:
        return await self._run("database", self._ask_database)

    async def redis(self) -> Status:
        return await self._run("redis", self._ask_redis)

    async def all(self) -> dict[str, Status]:
        database, redis = await asyncio.gather(self.database(), self.redis())
        return {"database": database, "redis": redis}

    async def close(self) -> None:
        running = list(self._running.values())
        for check in running:
            check.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._engine.dispose()
        await self._redis.aclose()

    async def _ask_database(self) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def _ask_redis(self) -> None:
        await self._redis.ping()

    async def _run(self, component: str, check: Check) -> Status:
        """The outcome of the check that runs, or else of a new one."""
        task = self._running.get(component)
        if task is None:
            task = asyncio.create_task(self._outcome(component, check))
            self._running[component] = task
            task.add_done_callback(lambda _: self._running.pop(component))
        # A probe that is cancelled, or gives up, does not cancel the check for the others.
        done, _ = await asyncio.wait({task}, timeout=self.timeout + _CLOSE_SECONDS)
        return task.result() if done else Status.UNHEALTHY

    async def _outcome(self, component: str, check: Check) -> Status:
        try:
            async with asyncio.timeout(self.timeout):
                await check()
        except (SQLAlchemyError, RedisError, OSError, TimeoutError) as error:
            _log.warning("health check failed", component=component, error=repr(error))
            return Status.UNHEALTHY
        return Status.HEALTHY


def get_health_checks(request: Request) -> HealthChecks:
    checks: HealthChecks = request.app.state.health
    return checks


HealthChecksDep = Annotated[HealthChecks, Depends(get_health_checks)]


class Health(BaseModel):
    status: Status
    components: dict[str, Status]


class DatabaseHealth(BaseModel):
    status: Status
    pool: dict[str, int]


class RedisHealth(BaseModel):
    status: Status


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]


class Liveness(BaseModel):
    status: Literal["alive"] = "alive"


router = APIRouter(prefix="/health", tags=["health"])


def _probe(path: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Route a probe with and without a trailing slash: a probe does not follow redirects.

    HEAD is answered like GET; the server leaves out the body.
    """

    def register(endpoint: Callable[..., Any]) -> Callable[..., Any]:
        with_slash = path.endswith("/")
        other = path.rstrip("/") if with_slash else f"{path}/"
        router.get(path, **options)(endpoint)
        router.head(path, include_in_schema=False)(endpoint)
        router.api_route(other, methods=["GET", "HEAD"], include_in_schema=False)(endpoint)
        return endpoint

    return register


def _answer(response: Response, healthy: bool) -> None:
    response.status_code = 200 if healthy else 503
    response.headers["Cache-Control"] = "no-store"


@_probe("/", summary="Overall health")
async def health(response: Response, checks: HealthChecksDep) -> Health:
    components = await checks.all()
    status = Status.UNHEALTHY if Status.UNHEALTHY in components.values() else Status.HEALTHY
    _answer(response, status is Status.HEALTHY)
    return Health(status=status, components=components)


@_probe("/db", summary="PostgreSQL, and the pool of connections to it")
async def db(request: Request, response: Response, checks: HealthChecksDep) -> DatabaseHealth:
    status = await checks.database()
    _answer(response, status is Status.HEALTHY)
    database: Database = request.app.state.database
    return DatabaseHealth(status=status, pool=pool_figures(database.engine))


@_probe("/redis", summary="Redis")
async def redis(response: Response, checks: HealthChecksDep) -> RedisHealth:
    status = await checks.redis()
    _answer(response, status is Status.HEALTHY)
    return RedisHealth(status=status)


@_probe("/ready", summary="Readiness: may requests be sent here?")
async def ready(response: Response, checks: HealthChecksDep) -> Readiness:
    is_ready = set((await checks.all()).values()) == {Status.HEALTHY}
    _answer(response, is_ready)
    return Readiness(status="ready" if is_ready else "not_ready")


@_probe("/live", summary="Liveness: does this process still run?")
async def live(response: Response) -> Liveness:
    """Asks no other server: restarting this process would not mend them."""
    _answer(response, True)
    return Liveness()


def pool_figures(engine: AsyncEngine) -> dict[str, int]:
    """Connections: open, of which in use and idle, and how many there may be."""
    pool = engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    in_use, idle = pool.checkedout(), pool.checkedin()
    return {
        "open": in_use + idle,
        "checked_out": in_use,
        "idle": idle,
    }
