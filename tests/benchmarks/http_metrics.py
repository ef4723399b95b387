"""What counting requests costs, beside prometheus-fastapi-instrumentator, in process.

Run by `nox -s bench` inside a rendered service. Each round times every stack in turn, so that a
neighbour's load falls on all of them alike; the figure of a stack is its median over the rounds.
Exits with 1 where the bound is missed.
"""

import asyncio
import statistics
import sys
import time
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from trading_service.core.observability.metrics import IN_PROGRESS, count_request
from trading_service.core.observability.route import route_template

ROUNDS, REQUESTS, BOUND = 60, 400, 1.20
SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/orders/7",
    "raw_path": b"/orders/7",
    "query_string": b"",
    "headers": [(b"host", b"service"), (b"accept", b"*/*"), (b"user-agent", b"benchmark")],
}


class Counting:
    """What RequestMiddleware does for the metrics, without the log."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status = 0
        started = time.perf_counter()

        async def send_and_note(message: Any) -> None:
            nonlocal status
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]

        IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, send_and_note)
        finally:
            IN_PROGRESS.dec()
            seconds = time.perf_counter() - started
            count_request(scope["method"], route_template(scope), status, seconds)


def application() -> FastAPI:
    app = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})

    @app.get("/orders/{order_id}")
    async def order(order_id: int) -> dict[str, int]:
        return {"id": order_id}

    return app


def instrumented() -> FastAPI:
    app = application()
    Instrumentator(registry=CollectorRegistry()).instrument(app)
    return app


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(_message: Any) -> None:
    pass


async def seconds_per_request(app: Any) -> float:
    started = time.perf_counter()
    for _ in range(REQUESTS):
        await app({**SCOPE, "state": {}}, receive, send)
    return (time.perf_counter() - started) / REQUESTS


async def measure() -> bool:
    stacks = {
        "bare": application(),
        "counted": Counting(application()),
        "prometheus-fastapi-instrumentator": instrumented(),
    }
    times: dict[str, list[float]] = {name: [] for name in stacks}
    for _ in range(ROUNDS):
        for name, stack in stacks.items():
            times[name].append(await seconds_per_request(stack))
    medians = {name: statistics.median(found) for name, found in times.items()}
    bare = medians.pop("bare")
    print(f"bare FastAPI request: {bare * 1e6:.1f} us")
    for name, median in medians.items():
        print(f"{median / bare:6.3f}  {name}")
    fine = medians["counted"] <= BOUND * bare
    print(f"bound {BOUND:.2f}{'' if fine else '  MISSED'}")
    return fine


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(measure()) else 1)
