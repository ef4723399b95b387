"""What `transactional()` costs, and what its retries are worth.

Run by `nox -s bench` inside a rendered service. Everything is measured side by side, in turns, in
one run: read the ratios, the times are the machine's. Exits with 1 where a bound is missed.
"""

import asyncio
import functools
import os
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from trading_service.core.database.transactions import (
    IsolationLevel,
    Retry,
    RetryableTransactionError,
    run_in_transaction,
    transactional,
)
from trading_service.core.observability.logging import configure_logging
from trading_service.core.process.dev_servers import missing_servers
from trading_service.settings import Settings

Sessions = async_sessionmaker[AsyncSession]

ROUNDS = 1500
# Another level than the default. (SERIALIZABLE has PostgreSQL itself do more.)
ISOLATION = IsolationLevel.REPEATABLE_READ.value
UPDATE = text("UPDATE counters SET value = value + 1 WHERE id = 0")


async def one_statement(tx: AsyncSession) -> None:
    await tx.execute(UPDATE)


# --- Cost ----------------------------------------------------------------------------------------


async def session_begin(sessions: Sessions) -> None:
    async with sessions() as session, session.begin():
        await one_statement(session)


async def session_begin_isolated(sessions: Sessions) -> None:
    async with sessions() as session, session.begin():
        await session.connection(execution_options={"isolation_level": ISOLATION})
        await one_statement(session)


async def block(sessions: Sessions) -> None:
    async with sessions() as session, transactional(session) as tx:
        await one_statement(tx)


async def block_isolated(sessions: Sessions) -> None:
    async with sessions() as session, transactional(session, isolation_level=ISOLATION) as tx:
        await one_statement(tx)


async def decorator(sessions: Sessions) -> None:
    await decorated(sessions)()


@functools.cache
def decorated(sessions: Sessions) -> Callable[[], Awaitable[None]]:
    return transactional(sessions, retry_on_deadlock=True)(one_statement)


async def function(sessions: Sessions) -> None:
    await run_in_transaction(sessions, one_statement)


# what is measured -> (name, what it is compared with, at most so many times its duration)
COSTS: dict[Callable[[Sessions], Awaitable[None]], tuple[str, Callable[..., object], float]] = {
    block: ("async with transactional(session)", session_begin, 1.05),
    block_isolated: (f"the same with isolation_level={ISOLATION}", session_begin, 1.10),
    decorator: ("@transactional(sessions, retry_on_deadlock=True)", session_begin, 1.05),
    function: ("run_in_transaction(sessions, fn)", session_begin, 1.05),
}


async def measure_costs(sessions: Sessions) -> bool:
    """Time every form once a round, and print each one's ratio to its counterpart."""
    candidates = [session_begin, session_begin_isolated, *COSTS]
    times: dict[object, list[float]] = {candidate: [] for candidate in candidates}
    for number in range(ROUNDS):
        turn = number % len(candidates)
        for candidate in candidates[turn:] + candidates[:turn]:
            started = time.perf_counter()
            await candidate(sessions)
            times[candidate].append(time.perf_counter() - started)
    base = median(times[session_begin])
    print(f"\nOne statement, {ROUNDS} rounds; session.begin() takes {base * 1e6:.0f} us (median)\n")
    isolated = median(times[session_begin_isolated]) / base
    print(f"  {isolated:.3f}              session.begin() with isolation_level={ISOLATION}")
    fine = True
    for candidate, (name, reference, bound) in COSTS.items():
        ratio = median(times[candidate]) / median(times[reference])
        fine &= ratio <= bound
        print(f"  {ratio:.3f} (bound {bound:.2f}) {name}{'' if ratio <= bound else '  MISSED'}")
    return fine


# --- Contention ----------------------------------------------------------------------------------

TASKS = 40


async def measure_contention(sessions: Sessions) -> bool:
    """Increment one row in many SERIALIZABLE transactions at once, with and without backoff."""
    print(f"\n{TASKS} concurrent SERIALIZABLE increments of one row\n")
    fine = True
    for name, retry in {
        "default retry": Retry(),
        "as often, no wait": Retry(base=0),
        "3 attempts, no wait": Retry(attempts=3, base=0),
        "no retry": Retry(attempts=1),
    }.items():
        executions = 0

        async def increment(tx: AsyncSession) -> None:
            nonlocal executions
            executions += 1
            value = await tx.scalar(text("SELECT value FROM counters WHERE id = 1"))
            await tx.execute(
                text("UPDATE counters SET value = :value WHERE id = 1"), {"value": value + 1}
            )

        async def attempt(work: Callable[[AsyncSession], Awaitable[None]], retry: Retry) -> bool:
            try:
                await run_in_transaction(
                    sessions, work, retry=retry, isolation_level="SERIALIZABLE"
                )
            except (RetryableTransactionError, DBAPIError):
                return False
            return True

        started = time.perf_counter()
        done = sum(await asyncio.gather(*(attempt(increment, retry) for _ in range(TASKS))))
        elapsed = time.perf_counter() - started
        print(f"  {done:2}/{TASKS} succeeded, {executions:3} executions, {elapsed:.2f} s   {name}")
        fine &= done == TASKS or name != "default retry"
    return fine


async def run(settings: Settings) -> bool:
    engine = create_async_engine(settings.sqlalchemy_url, pool_size=TASKS)
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE counters (id int PRIMARY KEY, value int)"))
        await connection.execute(text("INSERT INTO counters VALUES (0, 0), (1, 0)"))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    try:
        return all([await measure_costs(sessions), await measure_contention(sessions)])
    finally:
        async with engine.begin() as connection:
            await connection.execute(text("DROP TABLE counters"))
        await engine.dispose()


def main() -> int:
    with TemporaryDirectory() as folder, ExitStack() as cleanup:
        settings = Settings(_env_file=None)
        # Each of thousands of retries has its line.
        configure_logging(settings, cleanup.enter_context(Path(os.devnull).open("w")))
        environment: dict[str, str] = {}
        for server in missing_servers(settings, Path(folder)):
            cleanup.callback(server.stop)
            server.start()
            environment |= server.environment
        os.environ.update(environment)
        return 0 if asyncio.run(run(Settings(_env_file=None))) else 1


if __name__ == "__main__":
    sys.exit(main())
