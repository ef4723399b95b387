"""`/metrics`, for Prometheus."""

import asyncio
import hmac

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ..config import Settings
from ..errors import ErrorCode, TradingException
from ..observability.metrics import exposition
from .access import key_of
from .resources import Resources

_log = structlog.get_logger(__name__)


async def require_token(request: Request) -> None:
    """Raise TradingException UNAUTHENTICATED for whoever may not read the metrics.

    A token of its own, since an API key would have to be looked up in the database, and metrics
    are wanted above all while that is down.
    """
    settings: Settings = request.app.settings
    token = settings.metrics.token
    if token is None:
        is_allowed = settings.environment != "production"
    else:
        is_allowed = hmac.compare_digest(
            key_of(request).encode(), token.get_secret_value().encode()
        )
    if not is_allowed:
        raise TradingException(
            ErrorCode.UNAUTHENTICATED,
            "Send the token of METRICS_TOKEN in the header Authorization, as `Bearer <token>`",
            headers={"WWW-Authenticate": "Bearer"},
        )


router = APIRouter(include_in_schema=False, dependencies=[Depends(require_token)])


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
    return Response(body, headers={"Content-Type": media_type})
