"""What one attacker can send, and a thousand of them, while others trade."""

import asyncio
import json
import os
import resource
import socket
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import psutil
from audit import audit
from load import Book, Load
from servers import Servers, Trader, servers, service, status_of
from table import Row, not_shown, row_of

CLIENTS = 2
WARM_SECONDS = 2.0
SECONDS = 2.0
"""The least that an attack is looked at for."""
ATTACKERS = 10
CONNECTIONS = 1000
BYTES = 400_000_000
KEYS = 100_000
OTHER_FILES = 200

GET = b"GET /health/live HTTP/1.1\r\nHost: service\r\n"
POST = b"POST /v1/orders HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n"
LINES = b"".join(b"X-%06d: %s\r\n" % (number, b"y" * 80) for number in range(1000))
BODY = json.dumps({f"{number:x}": 1 for number in range(KEYS)}, separators=(",", ":")).encode()
PIPELINED = b"GET /openapi.json HTTP/1.1\r\nHost: service\r\n\r\n" * 20


@dataclass
class Watch:
    """What the service's memory and `/health/live` were like during an attack."""

    process: psutil.Process
    port: int
    megabytes: float = 0
    """The most that it has taken more than before."""
    cpu: float = 0
    """Seconds that it has worked."""
    statuses: set[int] = field(default_factory=set)
    slowest: float = 0
    """Seconds that `/health/live` has taken at most."""
    slowest_own: float = 0
    """The same without the time in which either side waited for a processor of a busy machine."""

    async def until(self, attack: "asyncio.Future[None]") -> None:
        """Look on until the attack is over."""
        before, cpu = self.process.memory_info().rss, _cpu(self.process)
        ends = time.perf_counter() + SECONDS
        while not attack.done() or time.perf_counter() < ends:
            asked, waited = time.perf_counter(), self._waited
            self.statuses.add(await status_of(self.port, "/health/live"))
            seconds = time.perf_counter() - asked
            self.slowest = max(self.slowest, seconds)
            self.slowest_own = max(self.slowest_own, seconds - (self._waited - waited))
            self.megabytes = max(self.megabytes, (self.process.memory_info().rss - before) / 1e6)
            await asyncio.sleep(0.01)
        self.cpu = _cpu(self.process) - cpu
        await attack

    @property
    def _waited(self) -> float:
        """Seconds for which this process and the service were kept from running."""
        statistics = [Path(f"/proc/{pid}/schedstat") for pid in (self.process.pid, os.getpid())]
        return sum(int(line.read_text().split()[1]) for line in statistics) / 1e9


def run() -> list[Row]:
    needed = CONNECTIONS + OTHER_FILES
    if not _may_open(needed):
        return [not_shown("attacks", f"they need `ulimit -Hn {needed}`")]
    with servers(accounts=10) as at:
        return asyncio.run(_run(at))


async def _run(at: Servers) -> list[Row]:
    book = Book(at.traders)
    seen: list[tuple[str, float, float, Watch]] = []
    loop = asyncio.get_running_loop()
    # The attackers have a process of their own: what delays them must not delay who looks on.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as elsewhere:
        async with service(at) as running, Load(running.port, book).during(CLIENTS):
            await loop.run_in_executor(elsewhere, _nothing, running.port, at.traders[0])
            await asyncio.sleep(WARM_SECONDS)
            for name, (attack, count) in ATTACKS.items():
                watch = Watch(psutil.Process(running.process.pid), running.port)
                begin = time.perf_counter()
                await watch.until(
                    loop.run_in_executor(
                        elsewhere, _many, count, attack, running.port, at.traders[0]
                    )
                )
                seen.append((name, begin, time.perf_counter(), watch))
    found = await audit(at, book.requests)
    rows = []
    for name, begin, end, watch in seen:
        row = row_of(name, book.requests, begin, end, found)
        slowest, own = watch.slowest * 1000, watch.slowest_own * 1000
        row.figures |= {
            "memory": f"{watch.megabytes:+.1f} MB at most",
            "processor": f"{watch.cpu:.1f} s of {end - begin:.1f} s",
            "/health/live": f"{slowest:.0f} ms at most, {own:.0f} ms without waits for a CPU",
        }
        is_served = all(r.is_success for r in book.requests if begin <= r.sent < end)
        row.expect(watch.megabytes < 50, "memory within 50 MB")
        row.expect(watch.slowest_own < 0.2, "/health/live under 200 ms")
        row.expect(is_served and watch.statuses == {200}, "others served")
        rows.append(row)
    return rows


Attack = Callable[[int, Trader], None]


def _many(count: int, attack: Attack, port: int, trader: Trader) -> None:
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(lambda _: attack(port, trader), range(count)))


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def _half_open(port: int, _trader: Trader) -> None:
    with ExitStack() as connections:
        for _ in range(CONNECTIONS // ATTACKERS):
            connections.enter_context(_connect(port)).sendall(GET)
            time.sleep(SECONDS / CONNECTIONS * ATTACKERS)
        time.sleep(SECONDS)


def _headers(port: int, _trader: Trader) -> None:
    _flood(port, GET, LINES)


def _trailers(port: int, _trader: Trader) -> None:
    _flood(port, POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", LINES)


def _pipelining(port: int, _trader: Trader) -> None:
    _flood(port, b"", PIPELINED)


def _flood(port: int, begin: bytes, more: bytes) -> None:
    """Send as much as is taken, and read nothing."""
    with _connect(port) as client, suppress(OSError):
        client.sendall(begin)
        for _ in range(BYTES // len(more)):
            client.sendall(more)


def _unknown_keys(port: int, trader: Trader) -> None:
    key = f"Authorization: Bearer {trader.key}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    with _connect(port) as client, suppress(OSError):
        client.sendall(POST + key.encode() + BODY)
        client.recv(65_536)


def _nothing(_port: int, _trader: Trader) -> None:
    pass


ATTACKS: dict[str, tuple[Attack, int]] = {
    "no attack, as a measure of the machine": (_nothing, 1),
    f"{CONNECTIONS:,} half-open connections within {SECONDS:.0f} s": (_half_open, ATTACKERS),
    f"{ATTACKERS} x 400 MB of header lines": (_headers, ATTACKERS),
    f"{ATTACKERS} x 400 MB of trailers": (_trailers, ATTACKERS),
    "pipelining without reading": (_pipelining, 1),
    f"{ATTACKERS} x {KEYS:,} unknown keys in a body": (_unknown_keys, ATTACKERS),
}
"""Each with how many attackers there are."""


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _may_open(files: int) -> bool:
    """Have this process, and the service that it starts, open so many files, if they may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY != hard < files:
        return False
    if resource.RLIM_INFINITY != soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return True
