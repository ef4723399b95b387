"""Health checks of PostgreSQL and Redis: who asks, how often, and what is made of an answer."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Literal, Protocol

import asyncpg  # type: ignore[import-untyped]
import structlog
from redis.exceptions import RedisError

from ..alerts.alerts import Alert, Alerts
from ..config import Settings
from ..database.migrations import read_revisions
from ..observability.metrics import note_health
from ..observability.redaction import Redactor, secrets_of
from .latency import RedisLatency
from .outcomes import Outcome, Sample, Status
from .postgres import Migrations, PostgresConnection
from .redis import RedisConnection

_log = structlog.get_logger(__name__)

_MAX_SAMPLES = 120
_MAX_REASON = 300  # characters
# What a server that is away, or refuses, is seen by; anything else is a bug of ours.
_FAILURES = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    RedisError,
    OSError,
    TimeoutError,
)


class HealthConnection(Protocol):
    """The connection on which a health check asks a server."""

    async def ask(self) -> None:
        """Raise an error unless the server answers."""

    def abort(self) -> None:
        """Throw the connection away, without waiting for anything: the server may be frozen."""

    async def close(self) -> None:
        """Close the connection."""


class HealthCheck:
    """Asks one server whether it answers. Probes that come together share one question.

    An outcome may be used again for `max_age` seconds, and a question takes at most `timeout`
    seconds, after which its connection is thrown away. A change is logged, and an alert, once; a
    critical one where the service can't do without the server, `is_required`. `when_back` is called
    when it answers again, with the time when it was asked last that it had answered.
    """

    def __init__(
        self,
        component: str,
        connection: HealthConnection,
        *,
        is_required: bool,
        timeout: float,
        max_age: float,
        alerts: Alerts,
        redactor: Redactor,
        when_back: Callable[[float], None],
    ) -> None:
        self.component = component
        self.is_required = is_required
        self.last: Outcome | None = None
        self._connection = connection
        self._timeout = timeout
        self._max_age = max_age
        self._alerts = alerts
        self._redactor = redactor
        self._when_back = when_back
        self._asked_at = 0.0
        self._down_since: float | None = float("-inf")
        self._well_at = float("-inf")
        self._running: asyncio.Task[Outcome] | None = None
        self._question: asyncio.Task[None] | None = None

    async def outcome(self) -> Outcome:
        """Return the outcome of the question that runs, or of a new one; in `timeout` at most."""
        if self._running is None:
            if self.last is not None and time.monotonic() - self._asked_at < self._max_age:
                return self.last
            self._running = asyncio.create_task(self._ask())
        # A probe that is cancelled does not cancel the question for the others.
        return await asyncio.shield(self._running)

    @property
    def down_for(self) -> float:
        """Seconds since it was found down; 0 while it is not, infinite before its first answer."""
        return 0.0 if self._down_since is None else time.monotonic() - self._down_since

    async def close(self) -> None:
        """End what runs, and close the connection."""
        unfinished = {task for task in (self._running, self._question) if task is not None}
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished, timeout=self._timeout)
        await self._connection.close()

    async def _ask(self) -> Outcome:
        self._asked_at = started = time.monotonic()
        question = self._question = asyncio.create_task(self._connection.ask())
        try:
            # Not `wait_for`, which would wait for what the question does after its cancellation.
            await asyncio.wait({question}, timeout=self._timeout)
            reason = self._reason(question)
        finally:
            self._running = None
            if not question.done():
                question.add_done_callback(_forget)
                self._connection.abort()
                question.cancel()
        outcome = Outcome(
            status=Status.UNHEALTHY if reason else Status.HEALTHY,
            at=datetime.now(UTC),
            latency=time.monotonic() - started,
            reason=reason,
        )
        was_down, well_at = self._down_since is not None, self._well_at
        if not reason:
            self._down_since, self._well_at = None, started
        elif self._down_since is None:
            self._down_since = started
        note_health(self.component, not reason, outcome.latency, is_required=self.is_required)
        before, self.last = self.last, outcome
        self._tell_change(Status.HEALTHY if before is None else before.status, outcome)
        if not reason and before is not None and was_down:
            self._when_back(well_at)
        return outcome

    def _reason(self, question: asyncio.Task[None]) -> str:
        """Return why the server counts as unhealthy; "" if it answered."""
        if not question.done():
            return f"TimeoutError: no answer within {self._timeout} seconds"
        error = question.exception()
        if error is None:
            return ""
        if not isinstance(error, _FAILURES):  # must not look like an outage
            _log.error("health check broken", component=self.component, exc_info=error)
        reason = f"{type(error).__name__}: {error}"
        return self._redactor.text(reason)[:_MAX_REASON]

    def _tell_change(self, before: Status, outcome: Outcome) -> None:
        if outcome.status is before:
            return
        key, component = f"health:{self.component}", self.component
        if outcome.status is Status.UNHEALTHY:
            _log.warning("health check failed", component=component, error=outcome.reason)
            details = {"reason": outcome.reason}
            severity: Literal["warning", "critical"] = "critical" if self.is_required else "warning"
            self._alerts.fire(Alert(key, f"{component} does not answer", details, severity))
        else:
            _log.warning("health check recovered", component=component)
            self._alerts.resolve(key, f"{component} answers again")


def _nothing(_well_at: float) -> None:
    pass


def _forget(question: asyncio.Task[None]) -> None:
    """Look at what became of it, or else asyncio complains that nobody did."""
    if not question.cancelled():
        question.exception()


class HealthChecks:
    """The checks of PostgreSQL and Redis, and what they found lately.

    `renew_pool` is called where PostgreSQL takes writes elsewhere now, or is back: what is open to
    where it was is of no use any more. Where another server is there instead, or it has started
    anew, it is called with the time when the old one was still there.
    """

    def __init__(
        self,
        settings: Settings,
        alerts: Alerts | None = None,
        renew_pool: Callable[[float | None], None] = lambda _well_at: None,
    ) -> None:
        self.timeout = settings.health.server_timeout
        self.required = settings.health.required
        self.history: deque[Sample] = deque(maxlen=_MAX_SAMPLES)
        """One sample each HEALTH_INTERVAL seconds, the newest last."""
        self.waits: dict[str, Callable[[], str]] = {}
        """Components that the service waits for before it is ready: why, or "" once it is."""
        self._problem = ""
        self._settings = settings
        self._renew_pool = renew_pool
        self._database = PostgresConnection(settings, partial(renew_pool, None))
        connections: dict[str, HealthConnection] = {
            "database": self._database,
            "redis": RedisConnection(settings),
        }
        alerts = alerts or Alerts()
        self._redis_latency = RedisLatency(settings.redis.slow_ping, alerts)
        redactor = Redactor(secrets_of(settings))
        self.checks = {
            component: HealthCheck(
                component,
                connection,
                is_required=component in self.required,
                timeout=self.timeout,
                max_age=settings.health.max_age,
                alerts=alerts,
                redactor=redactor,
                when_back=self._database_is_back if component == "database" else _nothing,
            )
            for component, connection in connections.items()
        }

    def _database_is_back(self, well_at: float) -> None:
        self._renew_pool(well_at if self._database.is_another else None)

    async def database(self) -> Outcome:
        """Return the outcome for PostgreSQL, a new one unless there is one of just now."""
        return await self.checks["database"].outcome()

    async def redis(self) -> Outcome:
        """Return the outcome for Redis, a new one unless there is one of just now."""
        return await self.checks["redis"].outcome()

    async def all(self) -> dict[str, Outcome]:
        """Return the outcomes for all servers, by component; they are asked at the same time."""
        outcomes = await asyncio.gather(*(check.outcome() for check in self.checks.values()))
        return dict(zip(self.checks, outcomes, strict=True))

    def waiting(self) -> dict[str, str]:
        """Return why the service's own components are not ready; without those that are."""
        reasons = {component: why() for component, why in self.waits.items()}
        return {component: reason for component, reason in reasons.items() if reason}

    def is_missed(self, component: str) -> bool:
        """Tell whether it is down for longer than HEALTH_READY_PATIENCE, or has never answered."""
        down_for = self.checks[component].down_for
        return down_for > 0 and down_for >= self._settings.health.ready_patience

    def is_down(self, component: str) -> bool:
        """Tell whether the component did not answer when it was last asked."""
        last = self.checks[component].last
        return last is not None and last.status is Status.UNHEALTHY

    @property
    def migrations(self) -> Migrations:
        """The migrations of the database when PostgreSQL last answered."""
        return self._database.migrations

    async def start(self) -> None:
        """Look up which migrations this code needs. Raises alembic's CommandError."""
        self._database.revisions = await asyncio.to_thread(read_revisions, self._settings)

    async def look(self) -> None:
        """Ask every server, and keep the outcomes for the history; note how fast Redis is."""
        outcomes = await self.all()
        self.history.append(Sample(components=outcomes, at=datetime.now(UTC)))
        if outcomes["redis"].status is Status.HEALTHY:
            self._redis_latency.note(outcomes["redis"].latency)
        problem, self._problem = self._problem, self.migrations.problem
        if self._problem not in {"", problem}:
            _log.warning("tables can't be used", problem=self._problem)

    async def ask_again(self) -> None:
        """Ask what did not answer, so that its return, or its successor, is soon known."""
        down = [check for name, check in self.checks.items() if self.is_down(name)]
        await asyncio.gather(*(check.outcome() for check in down))

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.gather(*(check.close() for check in self.checks.values()))
