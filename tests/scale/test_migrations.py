"""Migrations while orders come in, and many at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from load import Book, Load
from servers import LIMITS, Trader
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from tests.core.support.migrators import Migrations
from tests.core.support.processes import PROGRAM, running
from trading_service.core.database.session import Database
from trading_service.exchanges.factory import open_exchange
from trading_service.settings import Settings
from trading_service.trading.api_keys import Scope, create_api_key
from trading_service.trading.demo import seed_demo

LONG = 15  # seconds of the transaction that is in the way
ROUNDS = 10
INDEX = """
with op.get_context().autocommit_block():
    op.create_index("ix_{}", "orders", ["symbol"], postgresql_concurrently=True)
"""


@pytest.fixture
async def engine(spare_database: Settings) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(spare_database.sqlalchemy_url)
    yield engine
    await engine.dispose()


async def demo_trader(settings: Settings) -> Trader:
    database = Database(settings)
    async with database.sessions() as session:
        account = await seed_demo(session, open_exchange(settings, database).client)
        key = await create_api_key(session, account, {Scope.TRADE})
        await session.commit()
    await database.close()
    return Trader(account.id, key)


async def test_a_migration_that_waits_for_a_long_transaction_delays_no_order_by_a_second(
    spare_database: Settings, engine: AsyncEngine, migrations: Migrations, tmp_path: Path
) -> None:
    migrations.add("op.add_column('orders', sa.Column('note', sa.Text()))")
    book = Book([await demo_trader(spare_database)])
    async with (
        running([PROGRAM, "serve"], tmp_path / "log", spare_database, **LIMITS) as service,
        Load(int(service.url.rpartition(":")[2]), book, patience=60).during(clients=2),
        engine.connect() as reader,
    ):
        await reader.execute(text("SELECT count(*) FROM orders WHERE id IS NULL"))
        with migrations.started(spare_database) as migrator:
            await asyncio.sleep(LONG)
            assert "migration lets others pass" in migrator.said
            await reader.rollback()
            assert await asyncio.to_thread(migrator.exit_code) == 0, migrator.said

    tries = migrator.said.count("migration lets others pass")
    slowest = max(request.latency for request in book.requests)
    print(f"{len(book.requests)} requests, the slowest {slowest:.2f} s; {tries} tries in vain")
    assert {request.code for request in book.requests if not request.is_success} == set()
    assert slowest < 1


async def test_four_migrators_build_an_index_concurrently_ten_times(
    spare_database: Settings, engine: AsyncEngine, migrations: Migrations
) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(MANY_ORDERS))
    for number in range(ROUNDS):
        migrations.add(INDEX.format(number))
        with ExitStack() as stack:
            migrators = [stack.enter_context(migrations.started(spare_database)) for _ in range(4)]
            codes = [await asyncio.to_thread(migrator.exit_code, 300) for migrator in migrators]
            assert codes == [0, 0, 0, 0], [migrator.said for migrator in migrators]

    async with engine.connect() as connection:
        valid = "SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid::regclass::text ~"
        assert await connection.scalar(text(f"{valid} '^ix_[0-9]$'")) == ROUNDS


MANY_ORDERS = """
WITH account AS (
    INSERT INTO accounts (id, name, mode) VALUES (gen_random_uuid(), 'a', 'paper') RETURNING id
), instrument AS (
    INSERT INTO instruments VALUES ('BTC-USDT', 'BTC', 'USDT', 0.01, 0.00001, 1)
)
INSERT INTO orders (account_id, id, client_order_id, symbol, side, type, time_in_force, qty,
    limit_price, hold_price, status, filled_qty, held_currency, held)
SELECT id, gen_random_uuid(), 'c' || n, 'BTC-USDT', 'buy', 'limit', 'gtc', 1, 1, 1, 'new', 0,
    'USDT', 1
FROM account, generate_series(1, 100000) AS n
"""
