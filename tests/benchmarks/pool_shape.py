"""What an order costs with a pool that is fixed, and with one that has overflow.

Sixteen clients place orders over the API, without a network between, on services with pools of
several shapes, in turns; what is in the outbox nobody sends. Of PostgreSQL it is the CPU time of
all its processes, those included that have ended: a connection is a process. Read the ratios. Exits
with 1 where a bound is missed.
"""

import asyncio
import os
import sys
import time
from contextlib import AsyncExitStack, ExitStack
from decimal import Decimal
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import psutil
from orders import nothing
from trading_service.core.api.application import ServiceAPI
from trading_service.core.database.migrations import migrate
from trading_service.core.database.session import Database
from trading_service.core.database.transactions import transactional
from trading_service.core.observability.logging import configure_logging
from trading_service.core.process.dev_servers import Postgres
from trading_service.exchanges.factory import open_exchange
from trading_service.main import create_app
from trading_service.settings import Settings
from trading_service.trading.accounts import create_account
from trading_service.trading.api_keys import Scope, create_api_key
from trading_service.trading.demo import seed_demo
from trading_service.trading.deposits import DepositRequest, deposit_now
from trading_service.trading.service import Trading, open_trading

CLIENTS, ORDERS, ROUNDS = 16, 15, 5
# pool_size + max_overflow -> PostgreSQL's CPU time an order, at most so many times that of 16+0.
SHAPES = {(16, 0): 1.0, (5, 10): 1.5, (5, 0): 1.5}

ORDER = {
    "symbol": "BTC-USDT",
    "side": "buy",
    "type": "limit",
    "time_in_force": "gtc",
    "qty": "0.001",
    "limit_price": "1000",
}
names = count()


def cpu_of(pid: int) -> float:
    """Seconds of a process and its descendants, those included that have ended."""
    main = psutil.Process(pid)
    total = 0.0
    for process in [main, *main.children(recursive=True)]:
        times = process.cpu_times()
        total += times.user + times.system
        if process.pid == main.pid:
            total += times.children_user + times.children_system
    return total


async def place(client: httpx.AsyncClient, key: str) -> None:
    for _ in range(ORDERS):
        order = ORDER | {"client_order_id": str(next(names))}
        answer = await client.post(
            "/v1/orders", json=order, headers={"Authorization": f"Bearer {key}"}
        )
        assert answer.status_code == 201, answer.text


async def until_it_trades(app: ServiceAPI) -> None:
    """Wait until its books were compared with the exchange, and it knows the prices."""
    trading = app.resources[open_trading]
    await trading.refresh_quotes()
    while not trading.reconciler.is_done:
        await asyncio.sleep(0.05)


async def make_keys(database: Database, settings: Settings) -> list[str]:
    """A key for each client, with an account of its own: they wait for no lock of another."""
    exchange = open_exchange(settings, database).client
    async with database.sessions() as session:
        await seed_demo(session, exchange)
        keys = []
        for number in range(CLIENTS):
            async with transactional(session):
                account = await create_account(session, f"bench-{number}")
                account_id = account.id
                keys.append(await create_api_key(session, account, {Scope.TRADE}))
            request = DepositRequest("start", "USDT", Decimal(10**9))
            await deposit_now(session, exchange, account_id, request)
    return keys


async def measure(settings: Settings, server: Postgres) -> bool:
    postgres: dict[tuple[int, int], list[float]] = {shape: [] for shape in SHAPES}
    service: dict[tuple[int, int], list[float]] = {shape: [] for shape in SHAPES}
    async with AsyncExitStack() as stack:
        apps, clients = {}, {}
        for size, overflow in SHAPES:
            db = settings.db.model_copy(update={"pool_size": size, "max_overflow": overflow})
            apps[size, overflow] = app = create_app(settings.model_copy(update={"db": db}))
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx.ASGITransport(app)
            clients[size, overflow] = await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://service")
            )
        nowhere = stack.enter_context(Path(os.devnull).open("w"))  # noqa: SIM115  # it is closed
        configure_logging(settings, nowhere)
        keys = await make_keys(apps[16, 0].resources.database, settings)
        for app in apps.values():
            await until_it_trades(app)
        for _ in range(ROUNDS + 1):  # the first one warms up
            for shape, client in clients.items():
                before, own = cpu_of(server.pid), time.process_time()
                await asyncio.gather(*(place(client, key) for key in keys))
                service[shape].append((time.process_time() - own) / CLIENTS / ORDERS)
                postgres[shape].append((cpu_of(server.pid) - before) / CLIENTS / ORDERS)
        opened = {
            shape: app.resources.database.monitor.figures().creation.count
            for shape, app in apps.items()
        }
    fine = True
    print(f"\n{CLIENTS} clients, medians of {ROUNDS} rounds: CPU time an order, beside 16+0\n")
    for shape, bound in SHAPES.items():
        of_postgres, of_service = (
            median(mine / base for mine, base in zip(of[shape][1:], of[16, 0][1:], strict=True))
            for of in (postgres, service)
        )
        fine &= of_postgres <= bound
        print(
            f"  {shape[0]:2}+{shape[1]:<2}  PostgreSQL {of_postgres:.2f} (bound {bound:.2f}),"
            f" service and client {of_service:.2f};"
            f" {opened[shape]} openings for {CLIENTS * ORDERS * (ROUNDS + 1)} orders"
            f"{'' if of_postgres <= bound else '  MISSED'}"
        )
    return fine


def main() -> int:
    with TemporaryDirectory() as folder, ExitStack() as cleanup:
        Path(folder).chmod(0o711)  # PostgreSQL is not root
        server = Postgres(Path(folder) / "postgres")
        cleanup.callback(server.stop)
        server.start()
        limits = dict.fromkeys(("RISK_MAX_OPEN_ORDERS", "RISK_MAX_ORDERS_PER_SECOND"), "1000000")
        os.environ.update(server.environment | limits)
        os.environ["HTTP_QUEUE_TIMEOUT"] = "60"  # nobody is refused, however slow this machine is
        Trading.dispatch = Trading.look = nothing
        settings = Settings(_env_file=None)
        migrate(settings)
        return 0 if asyncio.run(measure(settings, server)) else 1


if __name__ == "__main__":
    sys.exit(main())
