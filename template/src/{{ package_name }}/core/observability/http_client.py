"""The HTTP client for requests to other services."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ..config.addresses import is_ipv6
from ..errors.middleware import HEADER, get_request_id

_trace_context = TraceContextTextMapPropagator()  # and no baggage, which is the caller's


def create_http_client(**options: Any) -> httpx.AsyncClient:
    """Create an httpx client whose requests carry the id and trace of the request being served.

    `options` are httpx's own. Keep one client for the life of the application.
    """
    hooks = dict(options.pop("event_hooks", {}))
    hooks["request"] = [_add_request_id, *hooks.get("request", [])]
    with _no_proxy_as_httpx_takes_it():
        return httpx.AsyncClient(event_hooks=hooks, **options)


@contextmanager
def _no_proxy_as_httpx_takes_it() -> Iterator[None]:
    """Take out of NO_PROXY, for the block, what httpx raises on: [::1], fd00::/8, host:port.

    An address of IPv6 is for it without brackets; networks, and single ports, it does not know.
    """
    before = {name: os.environ[name] for name in ("no_proxy", "NO_PROXY") if name in os.environ}
    try:
        for name, value in before.items():
            entries = (entry.strip().strip("[]") for entry in value.split(","))
            os.environ[name] = ",".join(filter(_is_known_to_httpx, entries))
        yield
    finally:
        os.environ.update(before)


def _is_known_to_httpx(entry: str) -> bool:
    return ":" not in entry or "://" in entry or is_ipv6(entry)


async def _add_request_id(request: httpx.Request) -> None:
    if request_id := get_request_id():
        request.headers.setdefault(HEADER, request_id)
    _trace_context.inject(request.headers)  # nothing, unless there is a span
