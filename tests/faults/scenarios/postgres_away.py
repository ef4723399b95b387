"""PostgreSQL has no connection left, is restarted, killed and frozen, while others trade."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial

import asyncpg
from load import Book, Load
from servers import Servers, servers, service
from table import Row
from tests.core.support.faults import frozen

from ._trading import RECOVERY, trade_through

FROZEN, FULL = 5.0, 3.0
CLIENTS = 12
"""More than DB_POOL_SIZE, so that requests wait for connections where no further ones are left."""


def run() -> list[Row]:
    with servers(accounts=4, postgres={"max_connections": "40"}) as at:
        return asyncio.run(_run(at))


async def _run(at: Servers) -> list[Row]:
    troubles: dict[str, Callable[[Servers], Awaitable[None]]] = {
        "PostgreSQL restarted": _restart,
        "PostgreSQL killed and started": _kill,
        "PostgreSQL frozen": _freeze,
    }
    async with service(at) as running:
        async with _no_connection_left(at):
            load = Load(running.port, Book(at.traders, prefix="full"))
            full = await trade_through(load, partial(asyncio.sleep, FULL), CLIENTS)
        away = []
        for number, trouble in enumerate(troubles.values()):
            load = Load(running.port, Book(at.traders, prefix=f"away{number}-"))
            away.append(await trade_through(load, partial(trouble, at), CLIENTS))
    courses = [full, *away]
    row = await full.row("all other connections taken", at, courses)
    row.expect("database has no connection left" in running.log.read_text(), "told in the log")
    row.expect(all(request.is_success for request in full.requests), "no request fails")
    rows = [row]
    for name, course in zip(troubles, away, strict=True):
        row = await course.row(name, at, courses)
        row.expect("unhealthy" in course.words, "health that is unhealthy")
        row.expect(course.was_always_ready, "ready meanwhile, by HEALTH_READY_PATIENCE")
        row.expect(course.seconds_to_success < RECOVERY, "success within 2 s after")
        rows.append(row)
    return rows


@asynccontextmanager
async def _no_connection_left(at: Servers) -> AsyncIterator[None]:
    """Open connections until PostgreSQL refuses one: the service has DB_POOL_SIZE."""
    async with AsyncExitStack() as others:
        with suppress(asyncpg.TooManyConnectionsError):
            while True:
                others.push_async_callback((await at.connect()).close)
        yield


async def _restart(at: Servers) -> None:
    await asyncio.to_thread(at.postgres.stop)  # as `pg_ctl restart --mode=fast`
    await asyncio.to_thread(at.postgres.start)


async def _kill(at: Servers) -> None:
    os.kill(at.postgres.pid, signal.SIGKILL)
    await _restart(at)


async def _freeze(at: Servers) -> None:
    with frozen(at.postgres):
        await asyncio.sleep(FROZEN)
