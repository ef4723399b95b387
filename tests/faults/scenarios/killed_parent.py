"""The process that looks after two workers is killed under load, and another one is started."""

import asyncio
import time

import psutil
from audit import audit
from load import Book, Load, between
from processes import kill, starts_of, until
from servers import Servers, servers, service
from table import Row, row_of

CLIENTS = 10
BEFORE, AFTER = 2.0, 2.0


def run() -> list[Row]:
    with servers(accounts=10) as at:
        return [asyncio.run(_run(at))]


async def _run(at: Servers) -> Row:
    book = Book(at.traders)
    async with service(at, HTTP_WORKERS="2", HTTP_DRAIN="10") as running:
        await until(lambda: starts_of(running) == 2, 0)
        async with Load(running.port, book).during(CLIENTS):
            await asyncio.sleep(BEFORE)
            orphans = psutil.Process(running.process.pid).children(recursive=True)
            begin = kill(running.process.pid)
            gone = asyncio.create_task(until(lambda: not _alive(orphans), begin))
            async with service(at, port=running.port):
                ready = time.perf_counter() - begin
                await asyncio.sleep(AFTER)
                end = time.perf_counter()
            seconds = await gone
    row = row_of(
        "SIGKILL of the parent of two workers",
        book.requests,
        begin,
        end,
        await audit(at, book.requests),
    )
    row.figures |= {
        "workers gone": f"{seconds:.2f} s after",
        "started anew at once": f"serves on the same port {ready:.2f} s after",
    }
    later = between(book.requests, begin + ready, end)
    row.expect(seconds < ready, "no worker outlives its parent")
    row.expect(all(request.is_success for request in later), "each later request served")
    return row


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and not _is_zombie(process)]


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
