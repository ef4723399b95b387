"""PostgreSQL's memory behind PgBouncer."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from load import Book, Load
from servers import Trader
from sqlalchemy import text
from tests.conftest import KeyFor
from tests.core.support.live import serving
from tests.core.support.pgbouncer import PgBouncer, pgbouncer_program
from tests.trading.market import ready
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


@pytest.fixture
def keeping(settings: Settings, pgbouncer: PgBouncer, pytestconfig: pytest.Config) -> Settings:
    """Settings for a PgBouncer that keeps prepared statements."""
    program = pgbouncer_program(pytestconfig.cache.mkdir("pgbouncer"))
    said = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    (major, minor) = re.findall(r"PgBouncer (\d+)\.(\d+)", said.stdout)[0]
    if (int(major), int(minor)) < (1, 24):  # it does from 1.21 on, and unasked from 1.24 on
        pytest.skip("PGBOUNCER names none that keeps prepared statements")
    before = pgbouncer.before(settings)
    db = before.db.model_copy(update={"prepared_statements": True})
    return before.model_copy(update={"db": db})


@asynccontextmanager
async def serving_orders(
    settings: Settings, demo: Account, key_for: KeyFor
) -> AsyncIterator[tuple[Database, Load]]:
    """A service that takes orders of `demo`: its database and a load that cancels nothing."""
    many = {"max_open_orders": 1_000_000, "max_orders_per_second": 1_000_000}
    risk = settings.risk.model_copy(update=many)
    log = settings.log.model_copy(update={"level": "WARNING"})
    app = create_app(settings.model_copy(update={"risk": risk, "log": log}))
    headers = await key_for(demo, "trade")
    book = Book([Trader(demo.id, headers["Authorization"].removeprefix("Bearer "))], cancels=0)
    async with app.router.lifespan_context(app), serving(app) as port:
        await ready(app)
        yield app.resources.database, Load(port, book, patience=60)
    assert {request.code for request in book.requests if not request.is_success} == set()


async def place(load: Load, number: int) -> None:
    """Place orders until there are so many."""
    await load.until(lambda: len(load.book.requests) == number, clients=8)


async def test_statements_that_pgbouncer_keeps_are_few(
    keeping: Settings, demo: Account, key_for: KeyFor
) -> None:
    async with serving_orders(keeping, demo, key_for) as (database, load):
        await place(load, 500)
        found = await backends(database)

    print(f"(statements, kB) of each backend after 500 orders: {found}")
    assert all(0 < statements <= 50 for statements, _ in found.values())


async def test_5000_orders_leave_nothing_behind(
    settings: Settings, pgbouncer: PgBouncer, demo: Account, key_for: KeyFor
) -> None:
    async with serving_orders(pgbouncer.before(settings), demo, key_for) as (database, load):
        await place(load, 1000)
        before = await backends(database)
        await place(load, 5000)
        after = await backends(database)

    print(f"(statements, kB) of each backend after 1,000 orders: {before}, 5,000: {after}")
    assert before.keys() == after.keys()
    for pid in before:
        assert after[pid][0] == 0
        assert after[pid][1] - before[pid][1] < 3_000
