"""How long a probe waits while PostgreSQL is frozen: 100 at a time ask `/health/ready`.

Run by `nox -s bench` inside a rendered service. A real server process on servers of its own; the
probes arrive together, round after round, over connections that are kept. Beside it, the same with
PostgreSQL at work. Exits with 1 where the 99th percentile misses its deadline, HEALTH_TIMEOUT.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

import psutil
from trading_service.core.database.migrations import migrate
from trading_service.core.process.dev_servers import Postgres, RedisServer
from trading_service.settings import Settings

PROBES, ROUNDS = 100, 10
PROGRAM = str(Path(sys.executable).with_name("trading-service"))


class Probe:
    """One connection that asks for readiness."""

    REQUEST = b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    def __init__(self, port: int) -> None:
        self.port = port

    async def connect(self) -> "Probe":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def ask(self) -> tuple[int, float]:
        """(status, seconds)."""
        started = time.perf_counter()
        self.writer.write(self.REQUEST)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return int(head.split()[1]), time.perf_counter() - started


@contextmanager
def frozen(server: Postgres) -> Iterator[None]:
    main = psutil.Process(server.pid)
    processes = [main, *main.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.resume()


async def measure(port: int, name: str, expected: int) -> float:
    """Print the percentiles, and return the 99th, in seconds."""
    probes = await asyncio.gather(*(Probe(port).connect() for _ in range(PROBES)))
    times: list[float] = []
    for _ in range(ROUNDS):
        answers = await asyncio.gather(*(probe.ask() for probe in probes))
        times += [seconds for _, seconds in answers]
        statuses = {status for status, _ in answers}
        if statuses != {expected}:
            raise SystemExit(f"{name}: answered {statuses}, not {expected}")
        await asyncio.sleep(0.3)  # so that each round asks anew (HEALTH_MAX_AGE)
    for probe in probes:
        probe.writer.close()
    hundredths = quantiles(times, n=100)
    print(f"  {name:22} p50 {hundredths[49] * 1000:6.1f} ms   p99 {hundredths[98] * 1000:6.1f} ms")
    return hundredths[98]


async def wait_until_ready(port: int) -> None:
    for _ in range(1200):
        try:
            probe = await Probe(port).connect()
            if (await probe.ask())[0] == 200:
                return
        except OSError:
            pass
        await asyncio.sleep(0.05)
    raise SystemExit("the service does not get ready")


def run(folder: Path, postgres: Postgres, redis: RedisServer) -> bool:
    os.environ.update(postgres.environment | redis.environment)
    settings = Settings(_env_file=None)
    migrate(settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as log:
        service = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(port)], stdout=log, stderr=subprocess.STDOUT
        )
    try:
        asyncio.run(wait_until_ready(port))
        print(f"\n{PROBES} parallel probes of /health/ready, {ROUNDS} rounds\n")
        asyncio.run(measure(port, "PostgreSQL at work", 200))
        with frozen(postgres):
            time.sleep(0.3)
            found = asyncio.run(measure(port, "PostgreSQL frozen", 503))
        deadline = settings.health.timeout
        fine = found < deadline
        print(f"  deadline {deadline * 1000:.0f} ms{'' if fine else '  MISSED'}")
        return fine
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait(20)


def main() -> int:
    with TemporaryDirectory() as name:
        folder = Path(name)
        postgres, redis = Postgres(folder / "postgres"), RedisServer(folder / "redis")
        try:
            for server in (postgres, redis):
                server.start()
            return 0 if run(folder, postgres, redis) else 1
        finally:
            for server in (postgres, redis):
                server.stop()


if __name__ == "__main__":
    sys.exit(main())
