"""What an order over HTTP costs, beside a bare FastAPI handler around hand-written asyncpg.

Both do the same in the same database: know the key and the instrument, hold the money, store the
order, two rows of the ledger, one of the outbox; by hand that is five statements after the key's.
The service also looks at limits and the trading state, counts, and writes an event. Both run under
uvicorn with one worker, the service with all that it has, but that what is in the outbox nobody
sends. Clients on 8 connections place orders of 8 accounts. Each round times both in turn. A ratio
is the median of the rounds', of CPU time: that is steadier than wall time. Printed as well: the
same of a service that is the paper venue too, in the same process, and sends each order there; and
the messages that PostgreSQL gets for a request of each route, counted by a relay in between.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import asyncpg
import psutil
import uvicorn
from support.bare import bare
from support.http import ask, request
from support.relay import Relay
from support.servers import servers
from trading_service.core.database.migrations import migrate
from trading_service.core.database.session import Database
from trading_service.core.database.tables import new_id
from trading_service.core.database.transactions import transactional
from trading_service.exchanges.factory import open_exchange
from trading_service.settings import Settings
from trading_service.trading import service as trading
from trading_service.trading.accounts import create_account
from trading_service.trading.api_keys import Scope, create_api_key
from trading_service.trading.demo import seed_demo
from trading_service.trading.deposits import DepositRequest, deposit_now
from trading_service.trading.service import Trading

ROUNDS, CLIENTS = 15, 8
ORDERS = {"bare": 400, "service": 400, "with venue": 40}
"""Orders of a round. Sending takes so much longer that fewer do."""
PORT = {"bare": 18091, "service": 18092, "counted": 18093, "with venue": 18094}
TIMED = ["bare", "service", "with venue"]
OTHER_DATABASE = "with_venue"
"""Name of the one where all that is in the outbox is sent."""
BOUND = 0.6


# --- The service ---------------------------------------------------------------------------------


@asynccontextmanager
async def once(_seconds: float, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do `work` now, and not every so many seconds."""
    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()


async def nothing(_self: Trading) -> None:
    await asyncio.Event().wait()


def serve(kind: str) -> None:
    if kind in ("service", "counted"):
        Trading.dispatch = Trading.look = nothing
    if kind == "counted":
        trading.every = once  # what it asks beside the requests is not counted
    application = bare() if kind == "bare" else "trading_service.main:app"
    uvicorn.run(application, port=PORT[kind], access_log=False, log_config=None)


# --- Clients -------------------------------------------------------------------------------------


def new_order() -> dict[str, str]:
    order = {"client_order_id": str(new_id()), "symbol": "BTC-USDT", "side": "buy"}
    return order | {"qty": "0.01", "limit_price": "500"}


async def place(port: int, key: str, count: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(count):
        status, body = await ask(reader, writer, request("POST", "/v1/orders", key, new_order()))
        assert status == 201, body
    writer.close()


async def round_of(port: int, keys: list[str], count: int) -> None:
    await asyncio.gather(*(place(port, key, count // len(keys)) for key in keys))


async def until_it_answers(port: int, keys: list[str]) -> None:
    for _ in range(600):
        try:
            await round_of(port, keys, CLIENTS)
            return
        except (OSError, AssertionError):  # it does not listen, or compares its books still
            await asyncio.sleep(0.1)
    raise SystemExit(f"nothing answers on port {port}")


# --- What PostgreSQL is sent ---------------------------------------------------------------------


async def count_messages(relay: Relay, key: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT["counted"])

    async def answer(method: str, path: str, body: Any = None) -> Any:
        status, text = await ask(reader, writer, request(method, path, key, body))
        assert status < 300, text
        await asyncio.sleep(0.2)  # for a connection that is given back after the answer
        return json.loads(text)

    async def count(name: str, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do it some times: after the first, key and statement are known."""
        found, counts = await act(), []
        for _ in range(3):
            before = relay.messages
            found = await act()
            counts.append(relay.messages - before)
        print(f"{name:40}{min(counts):3} messages to PostgreSQL")
        return found

    def get(path: str) -> Callable[[], Awaitable[Any]]:
        return lambda: answer("GET", path)

    order = new_order()
    await answer("POST", "/v1/orders", order)
    placed = await count("POST /v1/orders", lambda: answer("POST", "/v1/orders", new_order()))
    await count("POST /v1/orders, of before", lambda: answer("POST", "/v1/orders", order))
    await count("GET /v1/orders", get("/v1/orders"))
    await count("GET /v1/orders/{order_id}", get(f"/v1/orders/{placed['id']}"))
    balances = f"/v1/accounts/{placed['account_id']}/balances"
    await count("GET /v1/accounts/{account_id}/balances", get(balances))
    await count("GET /v1/instruments", get("/v1/instruments"))
    doomed = [await answer("POST", "/v1/orders", new_order()) for _ in range(4)]
    await count(
        "DELETE /v1/orders/{order_id}, unsent",
        lambda: answer("DELETE", f"/v1/orders/{doomed.pop()['id']}"),
    )


# --- All of it -----------------------------------------------------------------------------------


async def seed(settings: Settings) -> list[str]:
    database = Database(settings)
    exchange = open_exchange(settings, database).client
    async with database.sessions() as session:
        await seed_demo(session, exchange)
        keys = []
        for number in range(CLIENTS):
            async with transactional(session):
                account = await create_account(session, f"desk-{number}")
                account_id = account.id
                keys.append(await create_api_key(session, account, set(Scope)))
            request = DepositRequest("start", "USDT", Decimal(10_000_000))
            await deposit_now(session, exchange, account_id, request)
    await database.close()
    return keys


async def measure(
    processes: dict[str, psutil.Process], keys: dict[str, list[str]], relay: Relay
) -> float:
    await relay.start()
    for kind in processes:
        await until_it_answers(PORT[kind], keys[kind])
    cpu: dict[str, list[float]] = {kind: [] for kind in TIMED}
    wall: dict[str, list[float]] = {kind: [] for kind in TIMED}
    for _ in range(ROUNDS):
        for kind in TIMED:
            server = processes[kind]
            began, spent = time.perf_counter(), sum(server.cpu_times()[:2])
            await round_of(PORT[kind], keys[kind], ORDERS[kind])
            wall[kind].append((time.perf_counter() - began) / ORDERS[kind])
            if kind == "with venue":
                await until_all_are_sent()
            cpu[kind].append((sum(server.cpu_times()[:2]) - spent) / ORDERS[kind])
    ratios = {}
    for kind in TIMED:
        ratios[kind] = statistics.median(b / s for b, s in zip(cpu["bare"], cpu[kind], strict=True))
        each = 1000 * statistics.median(cpu[kind])
        rate = statistics.median(b / s for b, s in zip(wall["bare"], wall[kind], strict=True))
        print(
            f"{kind:10} {each:5.2f} ms of CPU an order, {ratios[kind]:.2f} of bare;"
            f" {rate:.2f} by the clock"
        )
    await count_messages(relay, keys["counted"][0])
    return ratios["service"]


async def connect(database: str) -> asyncpg.Connection:
    return await asyncpg.connect(host=os.environ["DB_HOST"], user="postgres", database=database)


async def until_all_are_sent() -> None:
    connection = await connect(OTHER_DATABASE)
    while await connection.fetchval("SELECT count(*) FROM outbox"):
        await asyncio.sleep(0.02)
    await connection.close()


async def make_other_database() -> None:
    connection = await connect(os.environ["DB_NAME"])
    await connection.execute(f"CREATE DATABASE {OTHER_DATABASE}")
    await connection.close()


def make_keys(settings: Settings) -> list[str]:
    migrate(settings)
    return asyncio.run(seed(settings))


def main() -> None:
    with servers() as folder, ExitStack() as cleanup:
        os.environ |= {"DB_POOL_SIZE": str(CLIENTS), "DB_MAX_OVERFLOW": "0", "LOG_FORMAT": "json"}
        limits = ("RISK_MAX_OPEN_ORDERS", "RISK_MAX_ORDERS_PER_SECOND")
        os.environ |= dict.fromkeys(limits, "1000000") | {"RISK_STALE_PRICE": "3600"}
        asyncio.run(make_other_database())
        settings = Settings(_env_file=None)
        db = settings.db.model_copy(update={"name": OTHER_DATABASE})
        keys = dict.fromkeys(PORT, make_keys(settings))
        keys["with venue"] = make_keys(settings.model_copy(update={"db": db}))
        relay = Relay(os.environ["DB_HOST"], str(folder))
        log = cleanup.enter_context((folder / "log").open("wb"))
        processes = {}
        for kind in PORT:
            # One connection, so that a statement is sent to it for the first time only once.
            changed = {
                "counted": {"DB_HOST": str(folder), "DB_POOL_SIZE": "1"},
                "with venue": {"DB_NAME": OTHER_DATABASE},
            }
            process = subprocess.Popen(
                [sys.executable, __file__, kind],
                stdout=log,
                stderr=log,
                env=os.environ | changed.get(kind, {}),
            )
            cleanup.callback(process.wait)
            cleanup.callback(process.terminate)
            processes[kind] = psutil.Process(process.pid)
        ratio = asyncio.run(measure(processes, keys, relay))
    if ratio < BOUND:
        sys.exit(f"an order costs too much: {ratio:.2f}, wanted is {BOUND}")


if __name__ == "__main__":
    serve(sys.argv[1]) if len(sys.argv) > 1 else main()
