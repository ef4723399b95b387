"""What a million stored orders cost: placing, and a page of a list, beside those with a thousand.

Two databases of one PostgreSQL, which differ in how many orders have ended in them, and what is in
the ledger and the history of those; some thousands that rest come to both as placing is timed.
Half of each database is of one account, the one whose pages are listed. Of each job, each round
times both databases in turn. A ratio is the median of the rounds', of the CPU time of this process
and PostgreSQL together, which is steadier than wall time; both are printed. BENCH_STORED_ORDERS is
another number than a million, to try it out.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import asyncpg
import psutil
from placing import ACCOUNTS, CLIENTS, INSTRUMENTS, by_service, round_of
from sqlalchemy import select
from trading_service.core.database.migrations import migrate
from trading_service.core.database.session import Database
from trading_service.core.database.transactions import transactional
from trading_service.core.process.dev_servers import Postgres
from trading_service.market.instruments import Instrument
from trading_service.settings import Settings
from trading_service.trading.accounts import create_account
from trading_service.trading.books import reading_books, verify_books
from trading_service.trading.events import events_after
from trading_service.trading.ledger import Bucket, Entry, EntryKind, list_transactions, post
from trading_service.trading.orders.model import Order
from trading_service.trading.orders.queries import list_orders
from trading_service.trading.orders.states import OrderStatus
from trading_service.trading.risk.settings import RiskSettings

FEW, MANY = 1_000, int(os.environ.get("BENCH_STORED_ORDERS", "1000000"))
ROUNDS, TIMES, PAGE = 15, 200, 20
DEPTH = 0.8
"""Share of the account's orders that are newer than the deep page."""
BOUND = 0.9

# Of ten orders one is of another instrument, and one was rejected; the rest were canceled.
FILL = """
WITH numbered AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY n) AS number,
        now() - age AS at,
        uuidv7(-age) AS id, uuidv7(-age) AS held_by, uuidv7(-age) AS freed_by,
        CASE kind WHEN 0 THEN 'ETH-USDT' ELSE 'BTC-USDT' END AS symbol,
        CASE kind WHEN 5 THEN 'rejected' ELSE 'canceled' END AS status
    FROM (
        SELECT n, make_interval(secs => $1 - n + 1) AS age, n / 2 % 10 AS kind,
            $2::uuid[] AS accounts
        FROM generate_series(1, $1::integer) AS n
    ) AS numbers, LATERAL (
        SELECT accounts[CASE n % 2 WHEN 0 THEN 1 ELSE 2 + n / 2 % ($3::integer - 1) END]
    ) AS owner (account_id)
), stored AS (
    INSERT INTO orders (account_id, id, client_order_id, symbol, side, type, time_in_force, qty,
        limit_price, hold_price, held_currency, held, status, filled_qty, created_at, canceled_at)
    SELECT account_id, id, gen_random_uuid(), symbol, 'buy', 'limit', 'gtc', 0.01, 500, 500,
        'USDT', 0, status, 0, at, CASE status WHEN 'canceled' THEN at END
    FROM numbered
), entered AS (
    INSERT INTO ledger_entries
        (account_id, transaction_id, n, kind, bucket, currency, amount, order_id, created_at)
    SELECT account_id, transaction_id, entry.n, entry.kind, bucket, 'USDT', amount, id, at
    FROM numbered, LATERAL (VALUES
        (held_by, 0, 'pending', 'available', -5), (held_by, 1, 'pending', 'held', 5),
        (freed_by, 0, 'void', 'held', -5), (freed_by, 1, 'void', 'available', 5)
    ) AS entry (transaction_id, n, kind, bucket, amount)
), noted AS (
    INSERT INTO account_events (account_id, seq, type, order_id, data, created_at)
    SELECT account_id, 2 * number - back, 'order', id, jsonb_build_object('status', event.status,
        'filled_qty', '0', 'leaves_qty', leaves, 'filled_avg_price', null, 'reason_code', null,
        'venue_order_id', null), at
    FROM numbered, LATERAL (VALUES
        (1, 'pending_new', '0.01'), (0, numbered.status, '0')
    ) AS event (back, status, leaves)
)
UPDATE account_books SET last_seq = counted.events
FROM (SELECT account_id, 2 * count(*) AS events FROM numbered GROUP BY 1) AS counted
WHERE counted.account_id = account_books.account_id
"""

Job = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Stored:
    """A database with so many orders, and what is timed in it."""

    count: int
    database: Database
    jobs: dict[str, Job]


async def stored(count: int, settings: Settings) -> Stored:
    """Fill the database, and return its jobs: each of them does one thing TIMES times."""
    database = Database(settings)
    async with database.sessions() as session, transactional(session):
        session.add_all(Instrument(**values) for values in INSTRUMENTS)
        accounts = [(await create_account(session, f"desk-{n}")).id for n in range(ACCOUNTS)]
        for account_id in accounts:
            money = Decimal(10_000_000)
            moved = [Entry(Bucket.EXTERNAL, "USDT", -money), Entry(Bucket.AVAILABLE, "USDT", money)]
            await post(session, account_id, EntryKind.OPENING, moved)
    await fill(settings, count, accounts)
    async with reading_books(settings) as connection:
        async for fault in verify_books(connection):
            raise SystemExit(f"what was stored is wrong: {fault}")
    return Stored(count, database, await jobs_of(database, accounts))


async def fill(settings: Settings, count: int, accounts: list[UUID]) -> None:
    connection = await asyncpg.connect(
        host=settings.db.host, user=settings.db.user, database=settings.db.name
    )
    began = time.perf_counter()
    # Without a look at what each row refers to: that takes most of the time.
    await connection.execute("SET session_replication_role = replica")
    await connection.execute(FILL, count, accounts, len(accounts))
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    size = await connection.fetchval("SELECT pg_size_pretty(pg_database_size(current_database()))")
    print(f"{count:,} orders stored in {time.perf_counter() - began:.0f} s, {size}")
    await connection.close()


async def jobs_of(database: Database, accounts: list[UUID]) -> dict[str, Job]:
    account_id = accounts[0]
    risk = RiskSettings(max_open_orders=10_000_000, max_orders_per_second=10_000_000)
    place = by_service(database, risk)

    async def nth_newest(share: float) -> UUID:
        query = select(Order.id).where(Order.account_id == account_id)
        async with database.sessions() as session:
            orders = (await session.scalars(query.order_by(Order.created_at.desc()))).all()
        return orders[int(share * len(orders))]

    deep = await nth_newest(DEPTH)

    def pages(**filters: object) -> Job:
        async def page() -> None:
            async with database.sessions() as session:
                found = await list_orders(session, account_id, limit=PAGE, **filters)
            assert len(found) == PAGE, f"{len(found)} orders of {filters}"

        return lambda: again(page)

    async def transactions() -> None:
        async with database.sessions() as session:
            assert len(await list_transactions(session, account_id, limit=PAGE)) == PAGE

    async def events() -> None:
        async with database.sessions() as session:
            assert len(await events_after(session, account_id, FEW // 4, PAGE)) == PAGE

    return {
        "placing": lambda: round_of(place, accounts, TIMES),
        "placing, of one account": lambda: round_of(place, accounts[:1], TIMES),
        "page": pages(),
        "deep page": pages(after=deep),
        "page of a status": pages(status=OrderStatus.REJECTED),
        "deep page of a status": pages(status=OrderStatus.CANCELED, after=deep),
        "page of a symbol": pages(symbol="ETH-USDT"),
        "page of the open ones": pages(is_open=True),
        "page of the ledger": lambda: again(transactions),
        "page of events": lambda: again(events),
    }


async def again(job: Callable[[], Awaitable[object]]) -> None:
    for _ in range(TIMES):
        await job()


def cpu_of(pid: int) -> float:
    """Seconds that this process, and that one and its children, have had a processor."""
    server = psutil.Process(pid)
    pids = [server.pid, *(child.pid for child in server.children())]
    nanoseconds = (int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for pid in pids)
    return time.process_time() + sum(nanoseconds) / 1e9


async def measure(few: Stored, many: Stored, server: Postgres) -> dict[str, float]:
    """Return the ratio of each job."""
    ratios = {}
    print(
        f"\n{'':25}{'CPU ms with':>12}{few.count:>10,}{many.count:>12,}{'ratio':>8}  by the clock"
    )
    for name in few.jobs:
        cpu: dict[int, list[float]] = {few.count: [], many.count: []}
        wall: dict[int, list[float]] = {few.count: [], many.count: []}
        for turn in range(ROUNDS + 1):
            for one in (few, many) if turn % 2 else (many, few):
                began, spent = time.perf_counter(), cpu_of(server.pid)
                await one.jobs[name]()
                if turn:  # the first one warms up
                    cpu[one.count].append(cpu_of(server.pid) - spent)
                    wall[one.count].append(time.perf_counter() - began)
        ratios[name], by_clock = (
            statistics.median(a / b for a, b in zip(of[few.count], of[many.count], strict=True))
            for of in (cpu, wall)
        )
        each = [1000 * statistics.median(cpu[one.count]) / TIMES for one in (few, many)]
        rate = TIMES / statistics.median(wall[many.count])
        print(
            f"{name:37}{each[0]:10.2f}{each[1]:12.2f}{ratios[name]:8.2f}  {by_clock:.2f},"
            f" {rate:,.0f} a second"
        )
    return ratios


async def run(server: Postgres, all_settings: list[Settings]) -> dict[str, float]:
    few, many = [
        await stored(count, settings)
        for count, settings in zip((FEW, MANY), all_settings, strict=True)
    ]
    ratios = await measure(few, many, server)
    for one in (few, many):
        await one.database.close()
    return ratios


async def make_databases(server: Postgres, names: list[str]) -> None:
    where = server.environment
    connection = await asyncpg.connect(
        host=where["DB_HOST"], user=where["DB_USER"], database=where["DB_NAME"]
    )
    for name in names:
        await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


def main() -> None:
    with TemporaryDirectory(prefix="bench-") as folder, ExitStack() as cleanup:
        Path(folder).chmod(0o711)  # PostgreSQL is not root
        # Nothing in the background that is counted to the one database or the other.
        quiet = {"autovacuum": "off", "checkpoint_timeout": "1d", "max_wal_size": "16GB"}
        server = Postgres(Path(folder) / "postgres", quiet | {"shared_buffers": "1GB"})
        cleanup.callback(server.stop)
        server.start()
        os.environ.update(server.environment)
        os.environ |= {"DB_POOL_SIZE": str(CLIENTS), "DB_MAX_OVERFLOW": "0"}
        names = ["few", "many"]
        asyncio.run(make_databases(server, names))
        all_settings = []
        for name in names:
            os.environ["DB_NAME"] = name
            all_settings.append(Settings(_env_file=None))
            migrate(all_settings[-1])
        ratios = asyncio.run(run(server, all_settings))
    missed = [f"{name} {ratio:.2f}" for name, ratio in ratios.items() if ratio < BOUND]
    if missed:
        sys.exit(f"{MANY:,} orders make it slower: {', '.join(missed)}, wanted {BOUND}")


if __name__ == "__main__":
    main()
