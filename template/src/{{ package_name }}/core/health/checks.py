"""Health of the servers this one depends on: who asks, how often, and what is made of an answer."""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal, Protocol

import asyncpg  # type: ignore[import-untyped]
import structlog
from pydantic import BaseModel
from redis.exceptions import RedisError

from ..alerts.alerts import Alert, Alerts
from ..config import Settings
from ..database.migrations import read_revisions
from ..observability.metrics import note_health
from ..observability.redaction import Redactor, secrets_of
from .postgres import DatabaseServer, Migrations
from .redis import RedisServer

_log = structlog.get_logger(__name__)

_SAMPLES = 120
_REASON_LENGTH = 300


class Status(StrEnum):
    """`degraded` still serves requests."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


def overall(components: Mapping[str, Status], required: Collection[str]) -> Status:
    """Return the worst of the components; one that is not required is `degraded` at worst."""
    order = list(Status).index
    return max(
        (
            status if name in required else min(status, Status.DEGRADED, key=order)
            for name, status in components.items()
        ),
        key=order,
    )


class Outcome(BaseModel):
    """What came of asking a server. `latency` is in seconds; `reason` says why it is unhealthy."""

    status: Status
    at: datetime
    latency: float
    reason: str = ""


class Sample(BaseModel):
    """The outcomes of one look at every server, by component."""

    at: datetime
    components: dict[str, Outcome]


class Server(Protocol):
    """What a check asks."""

    async def ask(self) -> None:
        """Raise an error unless the server answers."""

    def abort(self) -> None:
        """Throw the connection away, without waiting for anything: the server may be frozen."""

    async def close(self) -> None: ...


class Check:
    """Asks one server. Probes that come together share one question, and its answer.

    An outcome may be used again for `max_age` seconds, and a question takes at most `timeout`
    seconds, after which its connection is thrown away. A change is logged, and an alert, once; a
    critical one where the service can't do without the server, `is_required`.
    """

    def __init__(
        self,
        component: str,
        server: Server,
        *,
        is_required: bool,
        timeout: float,
        max_age: float,
        alerts: Alerts,
        redactor: Redactor,
    ) -> None:
        self.component = component
        self.is_required = is_required
        self.last: Outcome | None = None
        self._server = server
        self._timeout = timeout
        self._max_age = max_age
        self._alerts = alerts
        self._redactor = redactor
        self._asked_at = 0.0
        self._running: asyncio.Task[Outcome] | None = None
        self._question: asyncio.Task[None] | None = None

    async def outcome(self) -> Outcome:
        """The outcome of the question that runs, or of a new one. Takes `timeout` at most."""
        if self._running is None:
            if self.last is not None and time.monotonic() - self._asked_at < self._max_age:
                return self.last
            self._running = asyncio.create_task(self._ask())
        # A probe that is cancelled does not cancel the question for the others.
        return await asyncio.shield(self._running)

    async def close(self) -> None:
        unfinished = {task for task in (self._running, self._question) if task is not None}
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=self._timeout)
        await self._server.close()

    async def _ask(self) -> Outcome:
        self._asked_at = started = time.monotonic()
        question = self._question = asyncio.create_task(self._server.ask())
        try:
            # Not `wait_for`, which would wait for what the question does after its cancellation.
            await asyncio.wait({question}, timeout=self._timeout)
            reason = self._reason(question)
        finally:
            self._running = None
            if not question.done():
                question.add_done_callback(_forget)
                self._server.abort()
                question.cancel()
        outcome = Outcome(
            status=Status.UNHEALTHY if reason else Status.HEALTHY,
            at=datetime.now(UTC),
            latency=time.monotonic() - started,
            reason=reason,
        )
        note_health(self.component, not reason, outcome.latency, is_required=self.is_required)
        before, self.last = self.last, outcome
        self._tell_change(Status.HEALTHY if before is None else before.status, outcome)
        return outcome

    def _reason(self, question: asyncio.Task[None]) -> str:
        """Why the server counts as unhealthy; "" if it answered."""
        if not question.done():
            return f"TimeoutError: no answer within {self._timeout} seconds"
        error = question.exception()
        if error is None:
            return ""
        if not isinstance(error, _FAILURES):  # a bug of ours, which must not look like an outage
            _log.error("health check broken", component=self.component, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        return self._redactor.text(reason)[:_REASON_LENGTH]

    def _tell_change(self, before: Status, outcome: Outcome) -> None:
        if outcome.status is before:
            return
        key, component = f"health-{self.component}", self.component
        if outcome.status is Status.UNHEALTHY:
            _log.warning("health check failed", component=component, error=outcome.reason)
            details = {"reason": outcome.reason}
            severity: Literal["warning", "critical"] = "critical" if self.is_required else "warning"
            self._alerts.fire(Alert(key, f"{component} does not answer", details, severity))
        else:
            _log.warning("health check recovered", component=component)
            self._alerts.resolve(key, f"{component} answers again")


def _forget(question: asyncio.Task[None]) -> None:
    """Look at what became of it, or else asyncio complains that nobody did."""
    if not question.cancelled():
        question.exception()


_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    RedisError,
    OSError,
    TimeoutError,
)


class HealthChecks:
    """The checks of PostgreSQL and Redis, and what they found lately."""

    def __init__(self, settings: Settings, alerts: Alerts | None = None) -> None:
        self.timeout = settings.health.server_timeout
        self.required = settings.health.required
        self.history: deque[Sample] = deque(maxlen=_SAMPLES)
        """One sample each HEALTH_INTERVAL seconds, the newest last."""
        self._problem = ""
        self._settings = settings
        self._database = DatabaseServer(settings)
        servers: dict[str, Server] = {"database": self._database, "redis": RedisServer(settings)}
        alerts = alerts or Alerts()
        redactor = Redactor(secrets_of(settings))
        self.checks = {
            component: Check(
                component,
                server,
                is_required=component in self.required,
                timeout=self.timeout,
                max_age=settings.health.max_age,
                alerts=alerts,
                redactor=redactor,
            )
            for component, server in servers.items()
        }

    async def database(self) -> Outcome:
        return await self.checks["database"].outcome()

    async def redis(self) -> Outcome:
        return await self.checks["redis"].outcome()

    async def all(self) -> dict[str, Outcome]:
        outcomes = await asyncio.gather(*(check.outcome() for check in self.checks.values()))
        return dict(zip(self.checks, outcomes, strict=True))

    def is_down(self, component: str) -> bool:
        """Whether it did not answer when it was last asked."""
        last = self.checks[component].last
        return last is not None and last.status is Status.UNHEALTHY

    @property
    def migrations(self) -> Migrations:
        return self._database.migrations

    async def start(self) -> None:
        """Look up which migrations this code needs. Raises alembic's CommandError."""
        self._database.revisions = await asyncio.to_thread(read_revisions, self._settings)

    async def look(self) -> None:
        """Ask every server, and keep what they say for the history."""
        self.history.append(Sample(components=await self.all(), at=datetime.now(UTC)))
        problem, self._problem = self._problem, self.migrations.problem
        if self._problem not in {"", problem}:
            _log.warning("tables can't be used", problem=self._problem)

    async def close(self) -> None:
        await asyncio.gather(*(check.close() for check in self.checks.values()))
