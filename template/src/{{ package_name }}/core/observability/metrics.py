"""Prometheus metrics of HTTP requests, at `/metrics`."""

import os
from functools import lru_cache

from fastapi import APIRouter
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

DURATION = Histogram(
    "http_request_duration_seconds",
    "Seconds from request to last byte, by route template",
    ["method", "route", "status"],
)
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

router = APIRouter()


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    for refresh in getattr(request.app.state, "before_scrape", ()):
        refresh()
    registry = REGISTRY
    # Where there are several workers, `run_server` has set it: the sum of all of them.
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@lru_cache(maxsize=1024)
def _duration(method: str, route: str, status: int) -> Histogram:
    return DURATION.labels(method if method in _METHODS else "other", route, status)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request by route template, so that no client can add a time series."""
    _duration(method, route, status).observe(seconds)
