"""Redis killed and frozen under load: the service trades on."""

import asyncio
import time
from contextlib import AbstractContextManager, contextmanager
from collections.abc import Callable, Iterator

from audit import audit
from load import Book, Load, between
from processes import frozen, kill
from servers import Servers, servers, service, status_of
from table import Row, row_of

CLIENTS = 10
BEFORE, AWAY = 2.0, 6.0


def run() -> list[Row]:
    with servers(accounts=10) as at:
        book = Book(at.traders)
        return [asyncio.run(_run(at, book, name, fault)) for name, fault in FAULTS.items()]


async def _run(at, book, name, fault) -> Row:
    async with service(at) as running:
        async with Load(running.port, book).during(CLIENTS):
            await asyncio.sleep(BEFORE)
            readiness = set()
            with fault(at):
                begin = time.perf_counter()
                while (end := time.perf_counter()) < begin + AWAY:
                    readiness.add(await status_of(running.port, "/health/ready"))
                    await asyncio.sleep(0.1)
                health = await status_of(running.port, "/health/redis")
    row = row_of(name, book.requests, begin, end, await audit(at, book.requests))
    meanwhile = between(book.requests, begin, end)
    row.figures |= {
        "slowest": f"{max(r.latency for r in meanwhile):.2f} s",
        "/health/ready": str(readiness), "/health/redis": str(health)}
    row.expect(all(request.is_success for request in meanwhile), "each request served")
    row.expect(readiness == {200}, "ready all the time")
    row.expect(health == 503, "")
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


FAULTS = {"Redis killed": _killed, "Redis frozen": _frozen}
