"""Redis killed and frozen under load: the service trades on."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from audit import audit
from load import Book, Load, between
from processes import frozen, kill
from servers import Servers, servers, service, status_of
from table import Row, row_of

CLIENTS = 10
BEFORE, AWAY = 1.0, 4.0

Fault = Callable[[Servers], AbstractContextManager[None]]


def run() -> list[Row]:
    with servers(accounts=10) as at:
        book = Book(at.traders)
        return [asyncio.run(_run(at, book, name, fault)) for name, fault in FAULTS.items()]


async def _run(at: Servers, book: Book, name: str, fault: Fault) -> Row:
    async with service(at) as running, Load(running.port, book).during(CLIENTS):
        await asyncio.sleep(BEFORE)
        readiness: set[int] = set()
        with fault(at):
            begin = time.perf_counter()
            while (end := time.perf_counter()) < begin + AWAY:
                readiness.add(await status_of(running.port, "/health/ready"))
                await asyncio.sleep(0.1)
            health = await status_of(running.port, "/health/redis")
    row = row_of(name, book.requests, begin, end, await audit(at, book.requests))
    meanwhile = between(book.requests, begin, end)
    row.figures |= {
        "slowest answer": f"{max(request.latency for request in meanwhile):.2f} s",
        "/health/ready and /health/redis": f"{readiness} and {health}",
    }
    row.expect(all(request.is_success for request in meanwhile), "each request served")
    row.expect(readiness == {200}, "ready all the time")
    row.expect(health == 503, "/health/redis says so")
    return row


@contextmanager
def _killed(at: Servers) -> Iterator[None]:
    kill(at.redis.pid)
    at.redis.stop()
    yield
    at.redis.start()


@contextmanager
def _frozen(at: Servers) -> Iterator[None]:
    with frozen(at.redis.pid):
        yield


FAULTS: dict[str, Fault] = {"Redis killed": _killed, "Redis frozen": _frozen}
