"""PostgreSQL's memory behind PgBouncer."""

import asyncio
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from orders import place_many
from sqlalchemy import text
from tests.conftest import KeyFor
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


async def test_statements_that_pgbouncer_keeps_are_few(
    keeping: Settings, demo: Account, key_for: KeyFor
) -> None:
    app = create_app(keeping)
    headers = await key_for(demo, "trade")
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://s", headers=headers) as client,
    ):
        await ready(app)
        assert await place_many(client, 500) == {201}
        found = await backends(app.resources.database)

    print(f"(statements, kB) of each backend after 500 orders: {found}")
    assert all(0 < statements <= 50 for statements, _ in found.values())


async def test_5000_orders_leave_nothing_behind(
    settings: Settings, pgbouncer: PgBouncer, demo: Account, key_for: KeyFor
) -> None:
    app = create_app(pgbouncer.before(settings))
    headers = await key_for(demo, "trade")
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://s", headers=headers) as client,
    ):
        await ready(app)
        assert await place_many(client, 1000) == {201}
        before = await backends(app.resources.database)
        assert await place_many(client, 4000) == {201}
        after = await backends(app.resources.database)

    print(f"(statements, kB) of each backend after 1,000 orders: {before}, 5,000: {after}")
    assert before.keys() == after.keys()
    for pid in before:
        assert after[pid][0] == 0
        assert after[pid][1] - before[pid][1] < 3_000
