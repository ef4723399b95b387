"""The HTTP client for requests to other services."""

from typing import Any

import httpx
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..errors.middleware import HEADER, get_request_id

_trace_context = TraceContextTextMapPropagator()  # and no baggage, which is the caller's


def create_http_client(**options: Any) -> httpx.AsyncClient:
    """Create an httpx client whose requests carry the id and trace of the request being served.

    `options` are httpx's own. Keep one client for the life of the application.
    """
    hooks = dict(options.pop("event_hooks", {}))
    hooks["request"] = [_add_request_id, *hooks.get("request", [])]
    return httpx.AsyncClient(event_hooks=hooks, **options)


async def _add_request_id(request: httpx.Request) -> None:
    if request_id := get_request_id():
        request.headers.setdefault(HEADER, request_id)
    _trace_context.inject(request.headers)  # nothing, unless there is a span
