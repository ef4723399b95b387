"""Examples of what health and status answer, for the OpenAPI document."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from ..health.outcomes import Outcome, Sample, Status
from ..health.postgres import Migrations
from ..observability.request_figures import RouteFigures
from ..pools.leases import Leak
from ..pools.monitor import PoolFigures, PoolReport
from ..pools.usage import Timing
from .health import (
    ComponentDetails,
    ComponentHealth,
    Health,
    HealthDetails,
    Liveness,
    Readiness,
)
from .status import Process, StatusData

_AT = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
_STARTED_AT = datetime(2026, 11, 25, 8, 15, tzinfo=UTC)


def with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI document with an example for each schema of `core`."""
    schemas = document["components"]["schemas"]
    for example in _examples():
        model = type(example)
        # The second is its name where a schema of the service has the first one, too.
        for name in (model.__name__, f"{model.__module__}.{model.__name__}".replace(".", "__")):
            if name in schemas:
                schemas[name]["examples"] = [example.model_dump(mode="json")]
    return document


def _examples() -> Iterator[BaseModel]:
    """Make a service that runs for 75 minutes, and has left a connection somewhere."""
    healthy = Outcome(status=Status.HEALTHY, at=_AT, latency=0.0008)
    sample = Sample(at=_AT, components={"database": healthy, "redis": healthy})
    migrations = Migrations(status="at_head", expected=["4d8e61b7f0a3"], found=["4d8e61b7f0a3"])
    timing = Timing(count=5210, mean=0.000041, max=0.0127)
    leak = Leak(
        tier="held",
        origin="src/desk/report.py:41 send_report",
        age=93.2,
        request_id="6f71250b36cb4be6ea3009b8808969cc",
        route="/v1/orders",
        waits_at="src/desk/report.py:44 send_report",
    )
    figures = PoolFigures(
        size=10,
        max=20,
        in_use=1,
        idle=9,
        overflow=0,
        waiters=0,
        utilisation=0.05,
        timeouts=0,
        wait=timing,
        hold=timing,
        creation=timing,
    )
    report = PoolReport(figures=figures, leaks=[leak], leak_count=1)
    requests = RouteFigures(
        method="POST", route="/v1/orders", count=5190, errors=0, mean=0.0062, p95=0.0091
    )
    process = Process(
        name="Trading Service",
        version="1.4.0",
        environment="production",
        python_version="3.13.9",
        pid=7,
        workers=4,
        started_at=_STARTED_AT,
    )
    yield from (healthy, sample, migrations, timing, leak, figures, report, requests, process)
    yield StatusData(
        at=_AT,
        process=process,
        history=[sample],
        required=["database"],
        pools={"database": report},
        requests=[requests],
    )
    health = Health(
        status=Status.HEALTHY,
        components={"database": Status.HEALTHY, "redis": Status.HEALTHY},
    )
    yield health
    yield HealthDetails(
        **dict(health),
        version=process.version,
        environment=process.environment,
        uptime=(_AT - _STARTED_AT).total_seconds(),
        not_ready=[],
        required=["database"],
        migrations=migrations,
    )
    yield ComponentHealth(status=Status.HEALTHY)
    yield ComponentDetails(
        status=Status.HEALTHY,
        reason="",
        latency=healthy.latency,
        checked_at=_AT,
        pool=figures,
        leaks=[leak],
        leak_count=1,
        recommendations=[],
    )
    yield Readiness(status="ready")
    yield Liveness(status="alive")
