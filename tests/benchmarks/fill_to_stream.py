"""How long after the venue's fill a client has it on its stream, at 50 orders a second.

The service is a process of its own, as `serve` runs it, with HTTP and the paper venue; this one
places market orders, buys and sells in turns, and reads each account's stream. All times are of one
machine's clock: the venue's, which is stored with the fill, that of the event, and that of its
arrival here. A share of it is waiting for a processor where this machine has few.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import asyncpg
from orders import CLIENTS, until_it_answers
from support.http import ask, request
from support.servers import servers
from trading_service import project
from trading_service.core.database.migrations import migrate
from trading_service.core.database.session import Database
from trading_service.core.database.tables import new_id
from trading_service.core.database.transactions import transactional
from trading_service.exchanges.factory import open_exchange
from trading_service.settings import Settings
from trading_service.trading.accounts import create_account
from trading_service.trading.api_keys import Scope, create_api_key
from trading_service.trading.demo import seed_demo
from trading_service.trading.deposits import DepositRequest, deposit_now

RATE, SECONDS, WARM_SECONDS, ACCOUNTS = 50, 30, 3, 10
PATIENCE = 30.0
PORT = 18095
FUNDS = {"USDT": Decimal(1_000_000), "BTC": Decimal(100)}

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Seen:
    """What was placed, and the first fill of each order that came by a stream. Unix times."""

    refused: int = 0
    placed: dict[str, float] = field(default_factory=dict)
    fills: dict[str, tuple[UUID, datetime, float]] = field(default_factory=dict)
    """By the order's name: the fill, when its event was stored, and when it came."""

    async def until_all_came(self) -> None:
        """Wait for the fill of each order; where it can't do so many, for PATIENCE seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                while self.missing:
                    await asyncio.sleep(0.05)

    @property
    def missing(self) -> int:
        return len(self.placed.keys() - self.fills.keys())


class Client:
    """An account's client: a stream, and connections on which it places orders."""

    def __init__(self, key: str, seen: Seen) -> None:
        self.key, self.seen = key, seen
        self.idle: list[Connection] = []
        self.number = 0

    async def follow(self, is_open: asyncio.Event) -> None:
        """Note the fills of the stream, until it is cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        writer.write(request("GET", "/v1/stream", self.key))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        is_open.set()
        kind = b""
        while line := await reader.readline():
            name, _, value = line.strip().partition(b": ")
            if name == b"event":
                kind = value
            elif name == b"data" and kind == b"fill":
                now, fill = time.time(), json.loads(value)
                at = datetime.fromisoformat(fill["created_at"])
                self.seen.fills.setdefault(fill["client_order_id"], (UUID(fill["id"]), at, now))

    async def place(self) -> None:
        self.number += 1
        name, side = str(new_id()), ("buy", "sell")[self.number % 2]
        order = {"client_order_id": name, "symbol": "BTC-USDT", "side": side, "type": "market"}
        message = request("POST", "/v1/orders", self.key, order | {"qty": "0.0001"})
        connection = self.idle.pop() if self.idle else await self.connect()
        began = time.time()
        status, _ = await ask(*connection, message)
        if status == 201:
            self.seen.placed[name] = began
            self.idle.append(connection)
        else:  # the connection is closed then
            self.seen.refused += 1

    async def connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", PORT)


async def trade(clients: list[Client], seconds: float) -> None:
    """Have the clients place RATE orders a second in turns, however long the answers take."""
    began = time.perf_counter()
    async with asyncio.TaskGroup() as placing:
        for number in range(int(RATE * seconds)):
            await asyncio.sleep(began + number / RATE - time.perf_counter())
            placing.create_task(clients[number % len(clients)].place())


async def measure(keys: list[str]) -> None:
    await until_it_answers(PORT, keys[:CLIENTS])
    for name, chosen in (("each of its own account", keys), ("all of one account", keys[:1])):
        warm, seen = Seen(), Seen()
        clients = [Client(key, warm) for key in chosen]
        opened = [asyncio.Event() for _ in clients]
        streams = [
            asyncio.create_task(client.follow(is_open))
            for client, is_open in zip(clients, opened, strict=True)
        ]
        await asyncio.gather(*(is_open.wait() for is_open in opened))
        await trade(clients, WARM_SECONDS)
        await warm.until_all_came()
        for client in clients:
            client.seen = seen
        began = time.perf_counter()
        await trade(clients, SECONDS)
        rate = len(seen.placed) / (time.perf_counter() - began)
        await seen.until_all_came()
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await show(name, rate, seen)


async def show(name: str, rate: float, seen: Seen) -> None:
    connection = await asyncpg.connect(
        host=os.environ["DB_HOST"], user="postgres", database=os.environ["DB_NAME"]
    )
    ids = [fill for fill, _, _ in seen.fills.values()]
    rows = await connection.fetch("SELECT id, created_at FROM fills WHERE id = ANY($1)", ids)
    await connection.close()
    filled = {row["id"]: row["created_at"].timestamp() for row in rows}
    print(f"{len(ids)} orders, {rate:.1f} a second, {name}: ms, p50 and p99")
    if seen.refused:
        print(f"  {seen.refused} were refused: it can't do so many")
    if seen.missing:
        print(f"  {seen.missing} had no fill {PATIENCE:.0f} s later: it can't do so many")
    for what, times in {
        "from the fill to the stream": [
            came - filled[fill] for fill, _, came in seen.fills.values()
        ],
        "of it until it was stored": [
            at.timestamp() - filled[fill] for fill, at, _ in seen.fills.values()
        ],
        "from the request to the stream": [
            came - seen.placed[order] for order, (_, _, came) in seen.fills.items()
        ],
    }.items():
        shares = statistics.quantiles(times, n=100, method="inclusive")
        print(f"  {what:32}{1000 * shares[49]:8.1f}{1000 * shares[98]:8.1f}")


async def seed(settings: Settings) -> list[str]:
    """Make the accounts, and return a key of each."""
    database = Database(settings)
    exchange = open_exchange(settings, database).client
    keys = []
    async with database.sessions() as session:
        await seed_demo(session, exchange)
        for number in range(ACCOUNTS):
            async with transactional(session):
                account = await create_account(session, f"desk-{number}")
                account_id = account.id
                keys.append(await create_api_key(session, account, set(Scope)))
            for currency, amount in FUNDS.items():
                request = DepositRequest(f"start-{currency}", currency, amount)
                await deposit_now(session, exchange, account_id, request)
    await database.close()
    return keys


def main() -> None:
    with servers() as folder, ExitStack() as cleanup:
        os.environ |= {"LOG_FORMAT": "json", "HTTP_PORT": str(PORT)}
        settings = Settings(_env_file=None)
        migrate(settings)
        keys = asyncio.run(seed(settings))
        log = cleanup.enter_context((folder / "log").open("wb"))
        program = str(Path(sys.executable).with_name(project.SLUG))
        process = subprocess.Popen([program, "serve"], stdout=log, stderr=log)
        cleanup.callback(process.wait)
        cleanup.callback(process.terminate)
        asyncio.run(measure(keys))


if __name__ == "__main__":
    main()
