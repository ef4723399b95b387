"""What a GET costs in the whole default stack, beside a bare FastAPI, under uvicorn.

Ids, access log (as JSON, to a file), metrics and error handling on the one side; on the other
FastAPI alone with uvicorn's access log off. One client with 16 connections. Each round times every
server in turn, so that a neighbour's load falls on all of them alike; a ratio is the median of the
rounds' ratios, of CPU time: that is steadier than wall time.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import psutil
import uvicorn
from fastapi import FastAPI
from trading_service.core.api.application import ServiceAPI
from trading_service.core.config import Settings
from trading_service.core.observability.logging import configure_logging

ROUNDS, REQUESTS, CONNECTIONS = 25, 1600, 16
PORT = {"bare": 18081, "service": 18082, "BaseHTTPMiddleware": 18083}


def application(kind: str) -> Any:
    if kind == "service":
        settings = Settings(log={"format": "json"}, db={"warm_up": 0}, _env_file=None)
        configure_logging(settings)
        app: Any = ServiceAPI(settings)
    else:
        app = FastAPI()
    if kind == "BaseHTTPMiddleware":

        @app.middleware("http")
        async def middleware(request: Any, call_next: Any) -> Any:
            response = await call_next(request)
            response.headers["X-Request-ID"] = os.urandom(16).hex()
            return response

    @app.get("/")
    async def root() -> dict[str, str]:
        return {"hello": "world"}

    return app


def serve(kind: str) -> None:
    uvicorn.run(application(kind), port=PORT[kind], access_log=False, log_config=None)


REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def client(port: int, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def one_round(port: int) -> None:
    share = REQUESTS // CONNECTIONS
    await asyncio.gather(*(client(port, share) for _ in range(CONNECTIONS)))


async def measure(servers: dict[str, psutil.Process]) -> None:
    found: dict[str, list[float]] = {kind: [] for kind in PORT}
    for kind, port in PORT.items():
        for _ in range(600):
            try:
                await one_round(port)
                break
            except OSError:
                await asyncio.sleep(0.1)
        else:
            raise SystemExit(f"{kind} does not answer")
    for _ in range(ROUNDS):
        for kind, port in PORT.items():
            before = sum(servers[kind].cpu_times()[:2])
            await one_round(port)
            found[kind].append(sum(servers[kind].cpu_times()[:2]) - before)
    for kind, spent in found.items():
        ratios = [bare / cpu for cpu, bare in zip(spent, found["bare"], strict=True)]
        each, ratio = 1e6 * statistics.median(spent) / REQUESTS, statistics.median(ratios)
        print(f"{kind:20} {each:4.0f} us of CPU a request, {ratio:.2f} of bare FastAPI")


def main() -> None:
    with tempfile.TemporaryFile() as log:
        servers = {
            kind: subprocess.Popen([sys.executable, __file__, kind], stdout=log, stderr=log)
            for kind in PORT
        }
        try:
            asyncio.run(
                measure({kind: psutil.Process(server.pid) for kind, server in servers.items()})
            )
        finally:
            for server in servers.values():
                server.terminate()
            for server in servers.values():
                server.wait()


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) > 1 else main()
