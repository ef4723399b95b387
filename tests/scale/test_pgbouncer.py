"""PostgreSQL's memory behind PgBouncer."""

import asyncio
import re
from pathlib import Path

from load import Book, Load
from servers import Trader
from sqlalchemy import text
from tests.conftest import KeyFor
from tests.core.support.live import serving
from tests.core.support.pgbouncer import PgBouncer
from trading_service.core.database.session import Database
from trading_service.main import create_app
from trading_service.settings import Settings
from trading_service.trading.accounts import Account


async def backends(database: Database) -> dict[int, tuple[int, int]]:
    """By process id, the prepared statements and kB of both connections to PostgreSQL."""
    both_are_in_use = asyncio.Barrier(2)

    async def look() -> tuple[int, int]:
        async with database.engine.connect() as connection:
            question = text("SELECT pg_backend_pid(), count(*) FROM pg_prepared_statements")
            pid, statements = (await connection.execute(question)).one()
            await both_are_in_use.wait()
            return pid, statements

    found = dict(await asyncio.gather(look(), look()))
    return {pid: (statements, memory_of(pid)) for pid, statements in found.items()}


def memory_of(pid: int) -> int:
    (kilobytes,) = re.findall(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kilobytes)


async def test_5000_orders_leave_nothing_behind(
    settings: Settings, pgbouncer: PgBouncer, demo: Account, key_for: KeyFor
) -> None:
    app = create_app(pgbouncer.before(settings))
    headers = await key_for(demo, "trade")
    book = Book([Trader(demo.id, headers["Authorization"].removeprefix("Bearer "))], cancels=0)
    async with app.router.lifespan_context(app), serving(app) as port:
        load = Load(port, book, patience=60)
        await load.until(lambda: len(book.requests) == 1000, clients=8)
        before = await backends(app.resources.database)
        await load.until(lambda: len(book.requests) == 5000, clients=8)
        after = await backends(app.resources.database)

    assert all(request.is_success for request in book.requests)
    print(f"(statements, kB) of each backend after 1,000 orders: {before}, 5,000: {after}")
    assert before.keys() == after.keys()
    for pid in before:
        assert after[pid][0] == 0
        assert after[pid][1] - before[pid][1] < 3_000
