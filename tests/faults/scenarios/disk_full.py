"""The disk of PostgreSQL is full, really: it is a small one, with a file that takes all of it."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import asyncpg
from load import Book, Load
from servers import Servers, servers, service
from small_disk import filled, mounts_of_our_own, small_disk
from table import Row, not_shown

from ._trading import trade_through

SIZE = "256m"
SECONDS = 3.0
PATIENCE = 20.0


def run() -> list[Row]:
    if reason := mounts_of_our_own():
        return [not_shown("disk full", reason)]
    with servers(accounts=4, postgres={"min_wal_size": "96MB"}) as at, _on_small_disk(at) as data:
        return asyncio.run(_run(at, data))


@contextmanager
def _on_small_disk(at: Servers) -> Iterator[Path]:
    """Move the data of PostgreSQL to a disk of its own; yield where they are."""
    data = at.postgres.folder / "data"
    at.postgres.stop()
    aside = data.rename(data.with_name("aside"))
    data.mkdir()
    with small_disk(data, SIZE):
        subprocess.run(["cp", "--archive", f"{aside}/.", str(data)], check=True)
        at.postgres.start()
        try:
            yield data
        finally:
            at.postgres.stop()


async def _run(at: Servers, data: Path) -> list[Row]:
    async def fill(book: Book) -> None:
        with filled(data):
            async with asyncio.timeout(PATIENCE):
                while all(request.status != 503 for request in book.requests):  # there is room
                    await asyncio.sleep(0.05)
            await asyncio.sleep(SECONDS)

    async def fill_log(_book: Book) -> None:
        with filled(data):
            await _break_log(at)
            await asyncio.sleep(SECONDS)
        await asyncio.to_thread(at.postgres.stop)
        await asyncio.to_thread(at.postgres.start)

    await _have_room_for_log(at)
    async with service(at) as running:
        courses = []
        for name, fault in {"tables": fill, "log": fill_log}.items():
            book = Book(at.traders, prefix=name)
            courses.append(await trade_through(Load(running.port, book), partial(fault, book)))
    tables, log = courses
    row_of_tables = await tables.row("disk full", at, courses)
    row_of_tables.expect(tables.words[-1] == "degraded", "health that is degraded to the end")
    row_of_tables.expect(len(tables.words) <= 2, "no other word from the first failure on")
    row_of_log = await log.row("disk full, no room for the write-ahead log", at, courses)
    row_of_log.expect("unhealthy" in log.words, "health that is unhealthy")
    for row, course in zip((row_of_tables, row_of_log), courses, strict=True):
        row.expect(course.was_always_ready, "ready meanwhile")
    return [row_of_tables, row_of_log]


async def _have_room_for_log(at: Servers) -> None:
    """Have PostgreSQL keep some files for its log, so that it is the tables that lack room."""
    connection = await at.connect()
    for _ in range(4):
        await connection.execute("CREATE TABLE filling AS SELECT 1")
        await connection.execute("SELECT pg_switch_wal()")
        await connection.execute("DROP TABLE filling")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _break_log(at: Servers) -> None:
    """Use up the files for the log: PostgreSQL ends where it can't write it."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await at.connect()
        while True:
            await connection.execute("SELECT pg_logical_emit_message(false, 'a', 'b')")
            await connection.execute("SELECT pg_switch_wal()")
