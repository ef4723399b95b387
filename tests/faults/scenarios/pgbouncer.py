"""PgBouncer, between the service and PostgreSQL: killed, frozen, and paused for a restart."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from audit import audit
from load import Book, Load, between
from processes import frozen, kill
from servers import Servers, servers, service
from sqlalchemy.engine import URL
from table import Row, row_of
from tests.core.support.pgbouncer import PgBouncer, pgbouncer_program

CLIENTS = 10
BEFORE, AWAY, AFTER = 1.0, 4.0, 3.0
RECOVERY = 2.0

Fault = Callable[[Servers, PgBouncer], Awaitable[None]]


def run() -> list[Row]:
    with servers(accounts=10) as at:
        book = Book(at.traders)
        pgbouncer = _pgbouncer(at)
        pgbouncer.start()
        try:
            return [
                asyncio.run(_run(at, book, pgbouncer, name, fault))
                for name, fault in FAULTS.items()
            ]
        finally:
            pgbouncer.stop()


def _pgbouncer(at: Servers) -> PgBouncer:
    cache = Path(".pytest_cache/d/pgbouncer")  # as the service's tests do
    cache.mkdir(parents=True, exist_ok=True)
    where = at.postgres.environment
    upstream = URL.create("postgresql", where["DB_USER"], query={"host": where["DB_HOST"]})
    return PgBouncer(at.folder / "pgbouncer", pgbouncer_program(cache.absolute()), upstream, 10)


async def _run(at: Servers, book: Book, pgbouncer: PgBouncer, name: str, fault: Fault) -> Row:
    has_died = _restart_if_dead(pgbouncer)
    async with (
        service(at, **pgbouncer.environment) as running,
        Load(running.port, book).during(CLIENTS, pause=0.1),
    ):
        await asyncio.sleep(BEFORE)
        begin = time.perf_counter()
        await fault(at, pgbouncer)
        back = time.perf_counter()
        await asyncio.sleep(AFTER)
        end = time.perf_counter()
    row = row_of(name, book.requests, begin, end, await audit(at, book.requests))
    meanwhile, later = between(book.requests, begin, end), between(book.requests, back, end)
    late = [r.sent - back for r in later if not r.is_success]
    slowest = max(request.latency for request in meanwhile)
    row.figures |= {
        "away": f"{back - begin:.2f} s",
        "slowest answer": f"{slowest:.2f} s",
        "last failure": f"{max(late, default=0):.2f} s after it was back",
    }
    if has_died:
        row.figures["before"] = "PgBouncer had ended by itself, and was started again"
    if fault is _restart_behind:
        row.expect(all(request.is_success for request in meanwhile), "no request fails")
    else:
        row.expect(all(seconds < RECOVERY for seconds in late), "well 2 s after it was back")
    return row


def _restart_if_dead(pgbouncer: PgBouncer) -> bool:
    """Start it again, as its supervisor would; return whether that was needed.

    1.18 can end when a client leaves that has cancelled a statement, as a service does that ends
    (pgbouncer/pgbouncer#801).
    """
    if pgbouncer._answers():
        return False
    pgbouncer.stop()
    pgbouncer.start()
    return True


async def _killed(_at: Servers, pgbouncer: PgBouncer) -> None:
    kill(pgbouncer.pid)
    await asyncio.to_thread(pgbouncer.stop)
    await asyncio.sleep(AWAY)
    await asyncio.to_thread(pgbouncer.start)


async def _frozen(_at: Servers, pgbouncer: PgBouncer) -> None:
    with frozen(pgbouncer.pid):
        await asyncio.sleep(AWAY)


async def _restart_behind(at: Servers, pgbouncer: PgBouncer) -> None:
    await pgbouncer.tell("PAUSE")
    await asyncio.to_thread(at.postgres.stop)
    await asyncio.to_thread(at.postgres.start)
    await pgbouncer.tell("RESUME")


FAULTS: dict[str, Fault] = {
    "PgBouncer killed, and started again": _killed,
    "PgBouncer frozen": _frozen,
    "PgBouncer's PAUSE, PostgreSQL restarted, RESUME": _restart_behind,
}
