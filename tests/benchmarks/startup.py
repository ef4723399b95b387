"""What a start costs in CPU time: `check-config`, and `serve` until it is ready.

Run by `nox -s bench` inside a rendered service, on servers of its own. Beside them a bare FastAPI
application under uvicorn, with SQLAlchemy's engine and a client of Redis, until it has asked both
of them. Each round starts all three in turn, so that a neighbour's load falls on all of them
alike; a ratio is the median of the rounds'.
"""

import os
import resource
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

ROUNDS = 11
SERVICE = str(Path(sys.executable).with_name("trading-service"))


def bare(port: int) -> None:
    """Serve the application that a start is compared with."""
    import uvicorn  # noqa: PLC0415  # these imports are what is measured
    from fastapi import FastAPI  # noqa: PLC0415
    from redis.asyncio import Redis  # noqa: PLC0415
    from sqlalchemy import text  # noqa: PLC0415
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        address = f"{os.environ['DB_NAME']}?host={os.environ['DB_HOST']}"
        engine = create_async_engine(f"postgresql+asyncpg://postgres@/{address}")
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        redis = Redis.from_url(os.environ["REDIS_URL"])
        await redis.ping()
        yield
        await redis.aclose()
        await engine.dispose()

    app = FastAPI(lifespan=lifespan)

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        return {"status": "ready"}

    uvicorn.run(app, port=port)


def until_it_ends(command: list[str]) -> float:
    """CPU seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def until_ready(command: list[str], log: Path) -> float:
    """CPU seconds of a server until it answers `/health/ready` with 200."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with log.open("wb") as output:
        process = subprocess.Popen([*command, port], stdout=output, stderr=output)
    try:
        while not is_ready(port):
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.02)
        times = psutil.Process(process.pid).cpu_times()
        return times.user + times.system
    finally:
        process.terminate()
        process.wait(20)


def is_ready(port: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready"):
        return True
    return False


def main() -> None:
    # Imported here: the bare application shall not pay for it.
    from trading_service.core.process.dev_servers import Postgres, RedisServer  # noqa: PLC0415

    with TemporaryDirectory() as name, ExitStack() as cleanup:
        for server in (Postgres(Path(name) / "postgres"), RedisServer(Path(name) / "redis")):
            cleanup.callback(server.stop)
            server.start()
            os.environ.update(server.environment)
        subprocess.run([SERVICE, "migrate"], stdout=subprocess.DEVNULL, check=True)
        log = Path(name) / "log"
        starts = {
            "bare, until ready": lambda: until_ready([sys.executable, __file__], log),
            "check-config": lambda: until_it_ends([SERVICE, "check-config"]),
            "serve, until ready": lambda: until_ready([SERVICE, "serve", "--port"], log),
        }
        seconds = {start: [] for start in starts}
        for _ in range(ROUNDS):
            for start, measure in starts.items():
                seconds[start].append(measure())
    print(f"\nCPU seconds of a start, medians of {ROUNDS}, and as a share of the bare one's\n")
    of_bare = seconds["bare, until ready"]
    for start, found in seconds.items():
        ratio = statistics.median(one / of for one, of in zip(found, of_bare, strict=True))
        print(f"  {start:20}{statistics.median(found):6.2f} s  x{ratio:.2f}")


if __name__ == "__main__":
    bare(int(sys.argv[1])) if len(sys.argv) > 1 else main()
