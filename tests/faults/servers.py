"""PostgreSQL, Redis and the service as processes of their own, with accounts that can trade."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import asyncpg
from trading_service import project
from trading_service.core.database.session import Database
from trading_service.core.database.transactions import transactional
from trading_service.core.process.dev_servers import Postgres, RedisServer, temporary_folder
from trading_service.exchanges.factory import open_exchange
from trading_service.settings import Settings
from trading_service.trading.accounts import create_account
from trading_service.trading.api_keys import Scope, create_api_key
from trading_service.trading.demo import seed_demo
from trading_service.trading.deposits import DepositRequest, deposit_now

PROGRAM = str(Path(sys.executable).with_name(project.SLUG))
START_SECONDS = 60
FUNDS = {"USDT": Decimal(10_000_000), "BTC": Decimal(1000)}
"""What each account has at the start."""
LIMITS = {
    "RISK_MAX_OPEN_ORDERS": "1000000000",
    "RISK_MAX_ORDERS_PER_SECOND": "1000000000",
    # A database is away for longer than the 30 s that are usual.
    "RISK_STALE_PRICE": "3600",
}
"""Of an account's orders: none that a load reaches."""


@dataclass(frozen=True)
class Trader:
    """An account and a key of it with every scope."""

    account_id: UUID
    key: str


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL and a Redis, with tables and accounts, and how a service finds them."""

    folder: Path
    postgres: Postgres
    redis: RedisServer
    environment: dict[str, str]
    traders: list[Trader]

    async def connect(self) -> asyncpg.Connection:
        """Open a connection to PostgreSQL that no service has anything to do with."""
        where = self.postgres.environment
        return await asyncpg.connect(
            host=where["DB_HOST"], user=where["DB_USER"], database=where["DB_NAME"]
        )


@contextmanager
def servers(accounts: int, postgres: dict[str, str] | None = None) -> Iterator[Servers]:
    """Start both servers, make the tables and so many accounts. `postgres` are its settings."""
    with temporary_folder() as folder, ExitStack() as cleanup:
        database = Postgres(folder / "postgres", {"max_connections": "200", **(postgres or {})})
        redis = RedisServer(folder / "redis")
        for server in (database, redis):
            cleanup.callback(server.stop)
            server.start()
        environment = {**database.environment, **redis.environment, "LOG_FORMAT": "json", **LIMITS}
        subprocess.run([PROGRAM, "migrate"], env=_with(environment), check=True)
        traders = asyncio.run(_open_accounts(database, accounts))
        yield Servers(folder, database, redis, environment, traders)


async def _open_accounts(postgres: Postgres, count: int) -> list[Trader]:
    where = postgres.environment
    fields = {"host": where["DB_HOST"], "user": where["DB_USER"], "name": where["DB_NAME"]}
    settings = Settings(db=fields, _env_file=None)
    database = Database(settings)
    exchange = open_exchange(settings, database).client
    traders = []
    try:
        async with database.sessions() as session:
            await seed_demo(session, exchange)
            for number in range(count):
                async with transactional(session) as tx:
                    account = await create_account(tx, f"account{number}")
                    trader = Trader(account.id, await create_api_key(tx, account, set(Scope)))
                traders.append(trader)
                for currency, amount in FUNDS.items():
                    request = DepositRequest(f"start-{currency}", currency, amount)
                    await deposit_now(session, exchange, trader.account_id, request)
    finally:
        await database.close()
    return traders


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path


@asynccontextmanager
async def service(
    at: Servers, *arguments: str, port: int = 0, **environment: str
) -> AsyncIterator[Service]:
    """Start `serve` as its users do and wait until it is ready; its log is a file.

    It runs in a process group of its own, which is ended in any case. Port 0 is a free one.
    """
    port = port or free_port()
    log = at.folder / f"service-{port}.log"
    command = [PROGRAM, "serve", "--port", str(port), *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            env=_with({**at.environment, **environment}),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while await status_of(port, "/health/ready") != 200:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not start: {log.read_text()[-4000:]}")
            await asyncio.sleep(0.05)
        yield Service(process, port, log)
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, START_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


async def status_of(port: int, path: str, seconds: float = 5) -> int:
    """Ask for a path on a connection of its own; return the status, 0 if there is no answer."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: service\r\n\r\n".encode())
                line = await reader.readline()
            finally:
                writer.close()
    except OSError:
        return 0
    return int(line.split()[1]) if line else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment_of(at: Servers) -> dict[str, str]:
    """What a program is started with that works with the database, where it is now."""
    return _with({**at.environment, **at.postgres.environment})


def _with(environment: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **environment}
