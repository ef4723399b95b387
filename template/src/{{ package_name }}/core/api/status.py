"""`/status`, a page for people: pools, leaks, health and its history, requests.

The page itself holds no data, and anybody may load it. What it shows comes from `/status/data`,
which wants an API key like the details of `/health` do; the page asks for one and keeps it in the
browser's tab.
"""

import os
import platform
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse

from ..errors import ErrorCode
from ..health.outcomes import Sample
from ..observability.request_figures import RouteFigures, request_figures
from ..pools.monitor import PoolReport
from .access import require_details
from .openapi import errors
from .resources import Resources

_MOST_LEAKS = 50


class Process(BaseModel):
    name: str
    version: str
    environment: str
    python_version: str
    pid: int
    workers: int
    started_at: datetime


class StatusData(BaseModel):
    at: datetime
    process: Process
    history: list[Sample]
    """The newest last."""
    required: list[str]
    """Components without which the service is unhealthy."""
    pools: dict[str, PoolReport]
    requests: list[RouteFigures]


router = APIRouter()

_PAGE = (files(__package__) / "status.html").read_text(encoding="utf-8")


def _hashes(tag: str) -> str:
    """Return the hashes that allow the page's own elements of this kind, and no others."""
    texts = re.findall(rf"<{tag}>(.*?)</{tag}>", _PAGE, re.DOTALL)
    digests = [b64encode(sha256(text.encode()).digest()).decode() for text in texts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


_HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src {_hashes('script')}; style-src {_hashes('style')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
}


@router.api_route("/status", methods=["GET", "HEAD"], include_in_schema=False)
@router.api_route("/status/", methods=["GET", "HEAD"], include_in_schema=False)
async def status_page() -> HTMLResponse:
    return HTMLResponse(_PAGE, headers=_HEADERS)


@router.get(
    "/status/data",
    tags=["health"],
    summary="What the page /status shows",
    dependencies=[Depends(require_details)],
    responses=errors(
        ErrorCode.UNAUTHENTICATED,
        ErrorCode.FORBIDDEN,
        ErrorCode.SERVICE_UNAVAILABLE,
    ),
)
async def get_status_data(request: Request) -> StatusData:
    """Show the process that answers; `/metrics` has the sums of all of them."""
    app = request.app
    resources: Resources = app.resources
    monitors = {"database": resources.database.monitor, "redis": resources.redis_monitor}
    now = datetime.now(UTC)
    return StatusData(
        at=now,
        process=Process(
            name=app.title,
            version=app.version,
            environment=resources.settings.environment,
            python_version=platform.python_version(),
            pid=os.getpid(),
            workers=resources.settings.http.workers,
            started_at=now - timedelta(seconds=resources.lifecycle.uptime),
        ),
        history=list(resources.health.history),
        required=list(resources.health.required),
        pools={name: monitor.report(_MOST_LEAKS) for name, monitor in monitors.items()},
        requests=request_figures(),
    )
