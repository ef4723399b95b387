"""What placing an order costs inside the service, beside the same by hand and by the plain ORM.

All three do the same in the same database, 8 connections, 64 accounts: read the instrument, hold
the money, store the order, two rows of the ledger, one of the outbox. By hand that is five
statements of asyncpg in a transaction; by the ORM, objects in a session. The service does more:
its statement also looks at the limits and the trading state, counts, and writes an event. Each
round times the three in turn; a ratio is the median of the rounds', of this process's CPU time.
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID

import asyncpg
from sqlalchemy import select
from support.servers import servers
from trading_service.core.database.migrations import migrate
from trading_service.core.database.session import Database
from trading_service.core.database.tables import new_id
from trading_service.core.database.transactions import transactional
from trading_service.market.instruments import Instrument
from trading_service.market.words import OrderType, Side, TimeInForce
from trading_service.settings import Settings
from trading_service.trading.accounts import create_account
from trading_service.trading.balances import Balance, move
from trading_service.trading.demo import INSTRUMENTS
from trading_service.trading.ledger import Bucket, EntryKind, LedgerEntry
from trading_service.trading.orders.model import Order
from trading_service.trading.orders.placing import OrderRequest, Terms, place_order
from trading_service.trading.orders.states import OrderStatus
from trading_service.trading.outbox import Command, CommandKind
from trading_service.trading.risk.checks import LastPrice
from trading_service.trading.risk.limits import get_limits
from trading_service.trading.risk.settings import RiskSettings

ROUNDS, ORDERS, CLIENTS, ACCOUNTS = 15, 200, 8, 64
HAND_BOUND, ORM_BOUND = 1.0, 4.0
QTY, PRICE = Decimal("0.01"), Decimal(500)

Place = Callable[[UUID, str], Awaitable[object]]

INSTRUMENT = "SELECT * FROM instruments WHERE symbol = $1"
HOLD = """
    UPDATE balances SET available = available - $3, held = held + $3
    WHERE account_id = $1 AND currency = $2 AND available >= $3 RETURNING held
"""
INSERT = """
    INSERT INTO orders (id, account_id, client_order_id, symbol, side, type, time_in_force, qty,
        limit_price, hold_price, held_currency, held, status, filled_qty)
    VALUES ($1, $2, $3, $4, 'buy', 'limit', 'gtc', $5, $6, $6, $7, $8, 'pending_new', 0) RETURNING *
"""
LEDGER = """
    INSERT INTO ledger_entries
        (account_id, transaction_id, n, kind, bucket, currency, amount, order_id)
    VALUES ($1, $2, 0, 'pending', 'available', $3, $4, $6),
        ($1, $2, 1, 'pending', 'held', $3, $5, $6)
"""
OUTBOX = "INSERT INTO outbox (account_id, id, kind, order_id) VALUES ($1, $2, 'place', $3)"


def by_hand(pool: asyncpg.Pool) -> Place:
    async def place(account: UUID, name: str) -> object:
        async with pool.acquire() as connection, connection.transaction():
            instrument = await connection.fetchrow(INSTRUMENT, "BTC-USDT")
            currency, amount, order = instrument["quote_currency"], QTY * PRICE, new_id()
            if await connection.fetchval(HOLD, account, currency, amount) is None:
                raise ValueError("too little money")
            row = await connection.fetchrow(
                INSERT, order, account, name, "BTC-USDT", QTY, PRICE, currency, amount
            )
            await connection.execute(LEDGER, account, new_id(), currency, -amount, amount, order)
            await connection.execute(OUTBOX, account, new_id(), order)
            return row

    return place


def by_orm(database: Database) -> Place:
    async def place(account: UUID, name: str) -> object:
        async with database.sessions() as session, session.begin():
            query = select(Instrument).where(Instrument.symbol == "BTC-USDT")
            instrument = (await session.scalars(query)).one()
            currency, amount = instrument.quote_currency, QTY * PRICE
            balance = await session.get_one(Balance, (account, currency), with_for_update=True)
            if balance.available < amount:
                raise ValueError("too little money")
            balance.available -= amount
            balance.held += amount
            order = Order(
                account_id=account,
                id=new_id(),
                client_order_id=name,
                symbol="BTC-USDT",
                side=Side.BUY,
                type=OrderType.LIMIT,
                time_in_force=TimeInForce.GTC,
                qty=QTY,
                limit_price=PRICE,
                hold_price=PRICE,
                held_currency=currency,
                held=amount,
                status=OrderStatus.PENDING_NEW,
            )
            session.add(order)
            transaction = new_id()
            for n, (bucket, moved) in enumerate(
                ((Bucket.AVAILABLE, -amount), (Bucket.HELD, amount))
            ):
                session.add(
                    LedgerEntry(
                        account_id=account,
                        transaction_id=transaction,
                        n=n,
                        kind=EntryKind.PENDING,
                        bucket=bucket,
                        currency=currency,
                        amount=moved,
                        order_id=order.id,
                    )
                )
            session.add(Command(account_id=account, kind=CommandKind.PLACE, order_id=order.id))
            return order

    return place


def by_service(database: Database, risk: RiskSettings) -> Place:
    async def place(account: UUID, name: str) -> object:
        limits = await get_limits(database.sessions, account, risk)
        request = OrderRequest(
            name, "BTC-USDT", Side.BUY, OrderType.LIMIT, TimeInForce.GTC, QTY, PRICE
        )
        terms = Terms(limits, LastPrice(Decimal(50_000), 0))
        return await place_order(database.sessions, account, request, terms)

    return place


async def round_of(place: Place, accounts: list[UUID], count: int) -> None:
    async def client(number: int) -> None:
        for n in range(number, count, CLIENTS):
            await place(accounts[n % len(accounts)], str(new_id()))

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))


async def seed(database: Database) -> list[UUID]:
    async with database.sessions() as session, transactional(session):
        session.add_all(Instrument(**values) for values in INSTRUMENTS)
        accounts = [await create_account(session, f"desk-{n}") for n in range(ACCOUNTS)]
        for account in accounts:
            await move(session, account.id, "USDT", Decimal(10_000_000), Decimal(0))
        return [account.id for account in accounts]


async def measure(settings: Settings) -> dict[str, float]:
    database = Database(settings)
    accounts = await seed(database)
    pool = await asyncpg.create_pool(
        host=os.environ["DB_HOST"],
        user="postgres",
        database=os.environ["DB_NAME"],
        min_size=CLIENTS,
        max_size=CLIENTS,
    )
    risk = RiskSettings(max_open_orders=10_000_000, max_orders_per_second=10_000_000)
    ways = {
        "by hand": by_hand(pool),
        "ORM": by_orm(database),
        "service": by_service(database, risk),
    }
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, place in ways.items():
            began, spent = time.perf_counter(), time.process_time()
            await round_of(place, accounts, ORDERS)
            if turn:  # the first one warms up
                cpu[name].append(time.process_time() - spent)
                wall[name].append(time.perf_counter() - began)
    # A hot account: everything waits for one row.
    began = time.perf_counter()
    await round_of(ways["service"], accounts[:1], ORDERS)
    hot = time.perf_counter() - began
    await pool.close()
    await database.close()

    def ratio(of: dict[str, list[float]], beside: str, name: str) -> float:
        return statistics.median(a / b for a, b in zip(of[beside], of[name], strict=True))

    for name in ways:
        each = 1000 * statistics.median(cpu[name]) / ORDERS
        by_clock = ratio(wall, "by hand", name)
        print(
            f"{name:8} {each:5.2f} ms of CPU an order, {ratio(cpu, 'by hand', name):5.2f} of by"
            f" hand; {by_clock:.2f} by the clock"
        )
    print(
        f"all on one account: {ORDERS / hot:.0f} orders a second, on {ACCOUNTS}: "
        f"{ORDERS / statistics.median(wall['service']):.0f}"
    )
    return {"by hand": ratio(cpu, "by hand", "service"), "the ORM": ratio(cpu, "ORM", "service")}


def main() -> None:
    with servers():
        os.environ |= {"DB_POOL_SIZE": str(CLIENTS), "DB_MAX_OVERFLOW": "0"}
        settings = Settings(_env_file=None)
        migrate(settings)
        ratios = asyncio.run(measure(settings))
    for beside, bound in (("by hand", HAND_BOUND), ("the ORM", ORM_BOUND)):
        if ratios[beside] < bound:
            sys.exit(f"an order costs too much: {ratios[beside]:.2f} of {beside}, wanted {bound}")


if __name__ == "__main__":
    main()
