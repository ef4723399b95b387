"""SIGTERM under load, while clients go on until nobody accepts their connections any more."""

import asyncio
import time

from audit import audit
from load import NO_ANSWER, REFUSED, Book, Load, between
from processes import starts_of, until
from servers import Servers, servers, service
from table import Row, row_of

CLIENTS = 10
BEFORE, DRAIN = 1.0, 2.0


def run() -> list[Row]:
    with servers(accounts=10) as at:
        book = Book(at.traders)
        return [asyncio.run(_run(at, book, workers)) for workers in (1, 2)]


async def _run(at: Servers, book: Book, workers: int) -> Row:
    settings = {"HTTP_WORKERS": str(workers), "HTTP_DRAIN": str(DRAIN)}
    async with service(at, **settings) as running:
        await until(lambda: starts_of(running) == workers, 0)
        async with Load(running.port, book, patience=20).during(CLIENTS):
            await asyncio.sleep(BEFORE)
            begin = time.perf_counter()
            running.process.terminate()
            code = await asyncio.to_thread(running.process.wait, DRAIN + 20)
            end = time.perf_counter()
    meanwhile = between(book.requests, begin, end)
    sent = [request for request in meanwhile if request.code != REFUSED]
    row = row_of(
        f"SIGTERM of the service, {workers} worker{'s' * (workers > 1)}",
        sent,
        begin,
        begin + DRAIN,
        await audit(at, book.requests),
    )
    cut = [request for request in sent if request.status == NO_ANSWER]
    row.figures |= {
        "ended": f"{end - begin:.2f} s after, with exit code {code}",
        "cut": f"{len(cut)} of {len(sent)} requests",
    }
    row.expect(code == 0, "exit code 0")
    row.expect(all(request.is_success for request in sent), "each request that was sent is served")
    return row
