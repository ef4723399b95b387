"""What RequestIDMiddleware adds to a request, beside asgi-correlation-id, in process.

Each round times every stack in turn, so that a neighbour's load falls on all of them alike; the
figure of a stack is its median over the rounds.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from asgi_correlation_id import CorrelationIdMiddleware
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from trading_service.core.errors.middleware import RequestIDMiddleware

ROUNDS, REQUESTS = 60, 400
SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "headers": [(b"host", b"service"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")],
}


async def endpoint(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("ok")


def base_http(app: Any) -> Any:
    async def dispatch(request: Any, call_next: Callable[..., Any]) -> Any:
        response = await call_next(request)
        response.headers["X-Request-ID"] = uuid4().hex
        return response

    return BaseHTTPMiddleware(app, dispatch)


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_message: Any) -> None:
    pass


async def seconds_per_request(app: Any) -> float:
    started = time.perf_counter()
    for _ in range(REQUESTS):
        await app({**SCOPE, "state": {}}, receive, send)
    return (time.perf_counter() - started) / REQUESTS


async def main() -> None:
    app = Starlette(routes=[Route("/", endpoint)])
    stacks = {
        "none": app,
        "RequestIDMiddleware": RequestIDMiddleware(app),
        "asgi-correlation-id": CorrelationIdMiddleware(app),
        "BaseHTTPMiddleware": base_http(app),
    }
    times: dict[str, list[float]] = {name: [] for name in stacks}
    for _ in range(ROUNDS):
        for name, stack in stacks.items():
            times[name].append(await seconds_per_request(stack))
    bare = statistics.median(times["none"])
    added = {name: statistics.median(found) - bare for name, found in times.items()}
    print(f"bare Starlette request: {bare * 1e6:.1f} us")
    for name in list(stacks)[1:]:
        ratio = added[name] / added["asgi-correlation-id"]
        print(f"{name:22} adds {added[name] * 1e6:6.1f} us, {ratio:5.2f} of asgi-correlation-id")


asyncio.run(main())
