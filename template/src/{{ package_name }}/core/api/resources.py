"""The resources of a running application, from its start to its last request."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from starlette.requests import HTTPConnection

from ..alerts.alerts import Alerts
from ..alerts.channels import Channel, faults_of
from ..config import Settings
from ..database.session import Database
from ..health.checks import HealthChecks
from ..observability.telemetry import exporting_telemetry
from ..process.closing import closed_in_time
from ..process.heartbeat import Heartbeat
from ..process.lifecycle import Lifecycle
from ..process.periodic import every
from ..redis.client import create_redis
from ..redis.monitor import RedisPoolMonitor

_log = structlog.get_logger(__name__)

# Seconds after which a server is asked again that did not answer.
_AGAIN = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Resources:
    """The things that handlers, periodic work and a service's own resources use.

    `resources[open_feed]` is what the service's own `open_feed` has yielded.
    """

    settings: Settings
    alerts: Alerts
    database: Database
    redis: Redis
    redis_monitor: RedisPoolMonitor
    health: HealthChecks
    heartbeat: Heartbeat
    lifecycle: Lifecycle
    _own: dict[Hashable, Any] = field(default_factory=dict)

    def __getitem__(self, opener: "Opener[T]") -> T:
        value: T = self._own[opener]
        return value


Opener = Callable[[Resources], AbstractAsyncContextManager[T]]
"""Opens a resource of a service's own: an async context manager that yields it."""

PeriodicWork = Callable[[Resources], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """The parts that a service brings along; `core` opens and runs them together with its own."""

    name: str
    """For people."""
    slug: str
    """Name of the distribution."""
    version: str
    channels: Callable[[], Sequence[Channel]] = tuple
    openers: list[Opener[Any]] = field(default_factory=list)
    periodic: list[tuple[float, PeriodicWork]] = field(default_factory=list)


@asynccontextmanager
async def open_resources(
    settings: Settings, lifecycle: Lifecycle, parts: ServiceParts
) -> AsyncIterator[Resources]:
    """Open what the application's requests use, and close it after the last of them.

    A service's own resources are opened in their order, after all that `core` has, and are closed
    first. One that raises while it is opened ends the start.
    """
    channels = parts.channels()
    for fault in faults_of(channels):
        _log.warning(fault)
    async with Alerts(channels, settings, parts.name) as alerts:
        database = Database(settings)
        redis = create_redis(settings)
        redis_monitor = RedisPoolMonitor(redis, settings)
        health = HealthChecks(settings, alerts, database.renew)
        heartbeat = Heartbeat(settings.health.stall_timeout, alerts)
        resources = Resources(
            settings, alerts, database, redis, redis_monitor, health, heartbeat, lifecycle
        )
        try:
            async with AsyncExitStack() as running:
                running.enter_context(lifecycle.drain.on_signals())
                await running.enter_async_context(heartbeat)
                await health.start()
                for seconds, work in (
                    (settings.health.interval, health.look),
                    (min(_AGAIN, settings.health.interval), health.ask_again),
                    (settings.health.interval, partial(database.writes.check, alerts)),
                    (settings.monitor.interval, partial(database.monitor.check, alerts)),
                    (settings.monitor.interval, partial(redis_monitor.check, alerts)),
                ):
                    await running.enter_async_context(every(seconds, work))
                await running.enter_async_context(
                    exporting_telemetry(parts.slug, parts.version, settings.environment)
                )
                for opener in parts.openers:
                    resources._own[opener] = await running.enter_async_context(opener(resources))
                for seconds, own_work in parts.periodic:
                    await running.enter_async_context(every(seconds, partial(own_work, resources)))
                await running.enter_async_context(lifecycle.warm_up.trying(database.warm_up))
                yield resources
                await lifecycle.requests.ended()
        finally:
            await closed_in_time(health.close(), redis.aclose(), database.close())


def resource(opener: Opener[T]) -> Callable[[HTTPConnection], Awaitable[T]]:
    """Return the FastAPI dependency that yields what `opener` has opened.

    `FeedDep = Annotated[Feed, Depends(resource(open_feed))]`, where main.py says
    `app.add_resource(open_feed)`.
    """

    async def get_resource(connection: HTTPConnection) -> T:  # plain ones go through a thread
        resources: Resources = connection.app.resources
        return resources[opener]

    return get_resource
