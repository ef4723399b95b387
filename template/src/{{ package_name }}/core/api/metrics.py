"""`/metrics`, for Prometheus."""

import asyncio

import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from ..observability.metrics import exposition
from .resources import Resources

_log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)


@router.api_route("/metrics", methods=["GET", "HEAD"])
@router.api_route("/metrics/", methods=["GET", "HEAD"])
async def metrics(request: Request) -> Response:
    """Answer in the format that the scraper asks for: OpenMetrics, or Prometheus' own."""
    resources: Resources = request.app.resources
    for monitor in (resources.database.monitor, resources.redis_monitor):
        try:
            monitor.refresh()
        except Exception:
            _log.exception("a metric could not be refreshed")
    body, media_type = await asyncio.to_thread(exposition, request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})
