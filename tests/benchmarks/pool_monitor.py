"""What the pool monitor costs of taking a connection, `select 1`, and giving it back.

Run by `nox -s bench` inside a rendered service. The service's engine and the same engine without
the monitor take turns, in one run, each called as deep within coroutines as a handler is: read the
ratio, the times are the machine's. Exits with 1 where the bound is missed.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from trading_service.core.database import session
from trading_service.core.database.pool_monitor import PoolMonitor
from trading_service.core.database.session import Database
from trading_service.core.database.unreachable import raise_unreachable
from trading_service.core.errors.middleware import RequestIDMiddleware
from trading_service.core.observability.logging import configure_logging
from trading_service.core.process.dev_servers import missing_servers
from trading_service.settings import Settings

ROUNDS = 6000
BOUND = 1.03
STATEMENT = text("SELECT 1")
# A handler is called from about so many others: the framework's, and the middleware's.
CALLERS = 15

Cycle = Callable[[AsyncEngine], Awaitable[None]]


async def select_one(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(STATEMENT)


async def checkout(engine: AsyncEngine) -> None:
    async with engine.connect():
        pass


async def called_by(callers: int, cycle: Cycle, engine: AsyncEngine) -> None:
    if callers:
        await called_by(callers - 1, cycle, engine)
    else:
        await cycle(engine)


def without_monitor(settings: Settings) -> AsyncEngine:
    """The service's own engine, but on SQLAlchemy's pool and without listeners of the monitor."""
    db = settings.db
    engine = create_async_engine(
        settings.sqlalchemy_url,
        pool_size=db.pool_size,
        max_overflow=db.max_overflow,
        pool_timeout=db.pool_timeout,
        pool_recycle=db.pool_recycle,
        hide_parameters=True,
        connect_args={
            "timeout": db.connect_timeout,
            "command_timeout": db.statement_timeout + 5,
            "server_settings": session.timeouts(db),
        },
    )
    raise_unreachable(engine, settings)
    return engine


async def measure(name: str, cycle: Cycle, engines: dict[str, AsyncEngine]) -> float:
    times: dict[str, list[float]] = {kind: [] for kind in engines}
    kinds = list(engines)
    for number in range(ROUNDS):
        for kind in kinds if number % 2 else reversed(kinds):
            started = time.perf_counter()
            await called_by(CALLERS, cycle, engines[kind])
            times[kind].append(time.perf_counter() - started)
    bare, monitored = (lower_quartile(times[kind]) for kind in ("bare", "monitored"))
    more = (monitored - bare) * 1e6
    print(f"  {monitored / bare:.3f}  {name}: {bare * 1e6:.0f} us bare, {more:.1f} us more")
    return monitored / bare


def lower_quartile(times: list[float]) -> float:
    """What else the machine does only adds, and more to the slower ones."""
    return quantiles(times, n=4)[0]


async def run(settings: Settings) -> bool:
    database, bare = Database(settings), without_monitor(settings)
    engines = {"bare": bare, "monitored": database.engine}
    ratios = []

    async def in_a_request(_scope: object, _receive: object, _send: object) -> None:
        for engine in engines.values():
            await select_one(engine)
        gc.collect()
        gc.freeze()
        print(f"\n{ROUNDS} rounds, lower quartiles, each within a request\n")
        await measure("a checkout alone", checkout, engines)
        ratios.append(await measure(f"with select 1 (bound {BOUND})", select_one, engines))

    scope = {"type": "http", "headers": [], "path": "/", "method": "GET"}
    await RequestIDMiddleware(in_a_request)(scope, None, None)  # type: ignore[arg-type]
    assert isinstance(database.monitor, PoolMonitor)
    assert database.monitor.figures().hold.count >= 2 * ROUNDS
    await bare.dispose()
    await database.close()
    return max(ratios) <= BOUND


def main() -> int:
    with TemporaryDirectory() as folder, ExitStack() as cleanup:
        settings = Settings(_env_file=None)
        configure_logging(settings, cleanup.enter_context(Path(os.devnull).open("w")))
        environment: dict[str, str] = {}
        for server in missing_servers(settings, Path(folder)):
            cleanup.callback(server.stop)
            server.start()
            environment |= server.environment
        os.environ.update(environment)
        fine = asyncio.run(run(Settings(_env_file=None)))
        if not fine:
            print("  MISSED")
        return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
