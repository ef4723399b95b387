"""PostgreSQL's memory behind PgBouncer."""

import asyncio
import re
from pathlib import Path

import httpx
from orders import place_many
from sqlalchemy import text
from tests.conftest import KeyFor
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
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://s", headers=headers) as client,
    ):
        assert await place_many(client, 1000) == {201}
        before = await backends(app.resources.database)
        assert await place_many(client, 4000) == {201}
        after = await backends(app.resources.database)

    print(f"(statements, kB) of each backend after 1,000 orders: {before}, 5,000: {after}")
    assert before.keys() == after.keys()
    for pid in before:
        assert after[pid][0] == 0
        assert after[pid][1] - before[pid][1] < 3_000
