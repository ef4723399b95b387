"""Health of the service, for Kubernetes probes, load balancers and people.

Everybody sees status words. Figures, reasons and versions are for those whom `Access` lets see
them; which is asked last, so that it need not ask a database that has just not answered.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from ..database.pool_monitor import Leak, PoolFigures, PoolMonitor, RedisPoolMonitor
from ..health.checks import HealthChecks
from ..health.outcomes import Outcome, Status, overall
from ..health.postgres import Migrations
from .access import sees_details
from .resources import Resources

# Kubernetes reads 10 KiB of an answer.
_MOST = 8


class Health(BaseModel):
    status: Status
    components: dict[str, Status]


class HealthDetails(Health):
    version: str
    environment: str
    uptime: float = Field(description="Seconds since the process started")
    not_ready: list[str] = Field(description="Why /health/ready answers 503; else empty")
    required: list[str] = Field(description="Components without which it can't be ready")
    migrations: Migrations


class ComponentHealth(BaseModel):
    status: Status


class ComponentDetails(ComponentHealth):
    reason: str = Field(description="Why it is unhealthy, or can't store; else empty")
    latency: float = Field(description="Seconds until it answered")
    checked_at: datetime
    pool: PoolFigures | None = Field(description="Connections of the process that answers")
    leaks: list[Leak] = Field(description=f"Connections not given back; {_MOST} at most")
    leak_count: int
    recommendations: list[str]


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]


class Liveness(BaseModel):
    status: Literal["alive", "stuck"]


async def _health_checks(request: Request) -> HealthChecks:
    resources: Resources = request.app.resources
    return resources.health


Checks = Annotated[HealthChecks, Depends(_health_checks)]
Endpoint = Callable[..., Any]

router = APIRouter(prefix="/health", tags=["health"])


def _probe(
    path: str, model: Any, ok: dict[str, Any], failed: dict[str, Any], summary: str
) -> Callable[[Endpoint], Endpoint]:
    """Route a probe with and without a trailing slash: a probe does not follow redirects.

    HEAD is answered like GET; the server leaves out the body. `ok` and `failed` are what everybody
    sees, as examples.
    """
    responses: dict[int | str, dict[str, Any]] = {
        status: {
            "model": model,
            "description": description,
            "content": {"application/json": {"example": example}},
        }
        for status, description, example in (
            (200, "It is well, or degraded", ok),
            (503, "It is not", failed),
        )
    }

    def register(endpoint: Endpoint) -> Endpoint:
        other = path.rstrip("/") if path.endswith("/") else f"{path}/"
        router.get(path, response_model=None, summary=summary, responses=responses)(endpoint)
        router.head(path, include_in_schema=False)(endpoint)
        router.api_route(other, methods=["GET", "HEAD"], include_in_schema=False)(endpoint)
        return endpoint

    return register


def _answer(body: BaseModel, is_fine: bool) -> Response:
    return Response(
        body.model_dump_json(),
        status_code=200 if is_fine else 503,
        media_type="application/json",
    )


@_probe(
    "/",
    Health | HealthDetails,
    {"status": "healthy", "components": {"database": "healthy", "redis": "healthy"}},
    {"status": "unhealthy", "components": {"database": "unhealthy", "redis": "healthy"}},
    "Overall health",
)
async def get_health(request: Request, checks: Checks) -> Response:
    """Tell the worst of the components. A service that is degraded still serves requests.

    `degraded`: a pool is nearly used up, the tables lack a migration or may not be used, writes
    have failed lately, or a component is unhealthy that the service can do without (HEALTH_REQUIRED
    has those it can't). A component of the service's own is there while it is not ready. In
    development, and with a key that has the scope `admin`, there are details.
    """
    outcomes = await checks.all()
    components = {name: _status(request, name, outcome) for name, outcome in outcomes.items()}
    components |= dict.fromkeys(checks.waiting(), Status.DEGRADED)
    body = Health(status=overall(components, checks.required), components=components)
    if await sees_details(request):
        resources: Resources = request.app.resources
        body = HealthDetails(
            **dict(body),
            version=request.app.version,
            environment=resources.settings.environment,
            uptime=round(resources.lifecycle.uptime, 1),
            not_ready=_why_not_ready(request, outcomes),
            required=list(checks.required),
            migrations=checks.migrations,
        )
    return _answer(body, body.status is not Status.UNHEALTHY)


@_probe(
    "/db",
    ComponentHealth | ComponentDetails,
    {"status": "healthy"},
    {"status": "unhealthy"},
    "PostgreSQL, and the pool of connections to it",
)
async def get_database_health(request: Request, checks: Checks) -> Response:
    return await _component(request, "database", await checks.database())


@_probe(
    "/redis",
    ComponentHealth | ComponentDetails,
    {"status": "healthy"},
    {"status": "unhealthy"},
    "Redis, and the pool of connections to it",
)
async def get_redis_health(request: Request, checks: Checks) -> Response:
    return await _component(request, "redis", await checks.redis())


@_probe(
    "/ready",
    Readiness,
    {"status": "ready"},
    {"status": "not_ready"},
    "Readiness: may requests be sent here?",
)
async def get_readiness(request: Request, checks: Checks) -> Response:
    """Say no while it starts, stops, waits for migrations, or a required component is down.

    Nor is it ready before the service's own components are. Once it was there, a component may be
    away for HEALTH_READY_PATIENCE seconds. Never say yes on the tables of another service.
    """
    is_ready = not _why_not_ready(request, await checks.all())
    return _answer(Readiness(status="ready" if is_ready else "not_ready"), is_ready)


@_probe(
    "/live",
    Liveness,
    {"status": "alive"},
    {"status": "stuck"},
    "Liveness: does this process still run?",
)
async def get_liveness(request: Request) -> Response:
    """Ask no other server: restarting this process would not mend them."""
    resources: Resources = request.app.resources
    is_alive = resources.heartbeat.is_alive
    return _answer(Liveness(status="alive" if is_alive else "stuck"), is_alive)


def _why_not_ready(request: Request, outcomes: dict[str, Outcome]) -> list[str]:
    resources: Resources = request.app.resources
    reasons = [
        f"{component}: {outcome.reason}"
        for component, outcome in outcomes.items()
        if outcome.status is Status.UNHEALTHY
        and component in resources.health.required
        and resources.health.is_missed(component)
    ]
    if not resources.lifecycle.is_warm:
        reasons.append("starting: the pool has not opened its connections yet")
    if resources.lifecycle.is_draining:
        reasons.append("stopping")
    if problem := resources.health.migrations.problem:
        reasons.append(f"tables: {problem}")
    waiting = resources.health.waiting()
    reasons += [f"{component}: {reason}" for component, reason in waiting.items()]
    return reasons


def _monitor(request: Request, component: str) -> PoolMonitor | RedisPoolMonitor:
    resources: Resources = request.app.resources
    return resources.database.monitor if component == "database" else resources.redis_monitor


def _status(request: Request, component: str, outcome: Outcome) -> Status:
    if outcome.status is Status.UNHEALTHY:
        return Status.UNHEALTHY
    resources: Resources = request.app.resources
    migrations = resources.health.migrations if component == "database" else Migrations()
    if migrations.status == "foreign":
        return Status.UNHEALTHY
    is_impaired = bool(migrations.problem or _write_failure(request, component))
    if is_impaired or _monitor(request, component).is_saturated:
        return Status.DEGRADED
    return Status.HEALTHY


def _write_failure(request: Request, component: str) -> str:
    """Return why requests could not write lately, though the server answers; "" if they could."""
    resources: Resources = request.app.resources
    return resources.database.writes.failure if component == "database" else ""


async def _component(request: Request, component: str, outcome: Outcome) -> Response:
    body = ComponentHealth(status=_status(request, component, outcome))
    if await sees_details(request):
        report = _monitor(request, component).report(_MOST)
        body = ComponentDetails(
            status=body.status,
            reason=outcome.reason or _write_failure(request, component),
            latency=outcome.latency,
            checked_at=outcome.at,
            pool=report.figures,
            leaks=report.leaks,
            leak_count=report.leak_count,
            recommendations=report.recommendations,
        )
    return _answer(body, body.status is not Status.UNHEALTHY)
