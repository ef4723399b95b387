"""One of two workers dies under load: it is killed, or its memory is corrupt."""

import asyncio
import json
import signal
from typing import Any

from audit import audit
from load import NO_ANSWER, Book, Load, between
from processes import kill, starts_of, until
from servers import Servers, Service, servers, service
from table import Row, row_of
from tests.core.support.processes import workers_of

CLIENTS = 10
BEFORE, AFTER = 1.0, 1.0
CUT_SECONDS = 0.1
"""A client learns within that time that its connection is gone."""


def run() -> list[Row]:
    with servers(accounts=10) as at:
        book = Book(at.traders)
        deaths = (signal.SIGKILL, signal.SIGSEGV)
        return [asyncio.run(_run(at, book, death)) for death in deaths]


async def _run(at: Servers, book: Book, death: signal.Signals) -> Row:
    async with service(at, HTTP_WORKERS="2") as running:
        await until(lambda: starts_of(running) == 2, 0)
        load = Load(running.port, book)
        async with load.during(CLIENTS):
            await asyncio.sleep(BEFORE)
            victim, other = workers_of(running.process)
            begin = kill(victim.pid, death)
            told = await until(lambda: _deaths(running), begin)
            replaced = await until(lambda: len(workers_of(running.process)) == 2, begin)
            serves = await until(lambda: starts_of(running) == 3, begin)
            await asyncio.sleep(AFTER)
            end = begin + serves + AFTER
        (line,) = _deaths(running)
        is_other_there = other.is_running()
    row = row_of(
        f"{death.name} of one of two workers",
        book.requests,
        begin,
        end,
        await audit(at, book.requests),
    )
    row.figures |= {
        "told of after": f"{told:.2f} s, as {line['reason']}",
        "another one": f"{replaced:.2f} s after, which serves {serves:.2f} s after",
    }
    later = between(book.requests, begin + CUT_SECONDS, end)
    before = between(book.requests, begin - load.patience, begin + CUT_SECONDS)
    row.figures["requests cut"] = f"{sum(r.status == NO_ANSWER for r in before)}"
    row.expect(told < 1 and line["reason"] == death.name, "told of with its signal within 1 s")
    row.expect(replaced < 1 and is_other_there, "replaced within 1 s")
    codes = {request.code for request in later if not request.is_success}
    row.expect(not codes, f"each later request served, not {codes}")
    return row


def _deaths(running: Service) -> list[dict[str, Any]]:
    lines = running.log.read_text().splitlines()
    return [json.loads(line) for line in lines if '"worker:died"' in line and '"reason"' in line]
