"""Time from the close of a candle to a strategy's committed decision: 50 instances, one process.

The whole service runs in this process, with seeded prices and candles of a minute, each kind of
strategy as often as the others and each instance for an account of its own. It is looked at for
some closes; what is decided while they warm up is not counted. Bound: p99 below 1 s.
"""

import asyncio
import os
import statistics
import sys
import time
from decimal import Decimal

from sqlalchemy import func, select
from support.servers import servers
from trading_service.core.database.migrations import migrate
from trading_service.core.database.session import Database
from trading_service.core.database.transactions import transactional
from trading_service.exchanges.factory import open_exchange
from trading_service.main import create_app
from trading_service.market.candles import Timeframe
from trading_service.settings import Settings
from trading_service.strategies.finding import find_kinds
from trading_service.strategies.runner import life, managing, metrics
from trading_service.strategies.runner.demo import MONEY, SYMBOL
from trading_service.strategies.runner.managing import StrategyRequest
from trading_service.strategies.runner.model import Instance
from trading_service.trading.accounts import create_account
from trading_service.trading.demo import seed_demo
from trading_service.trading.deposits import DepositRequest, deposit_now

INSTANCES, CLOSES, BOUND = 50, 5, 1.0
MINUTE = 60


async def start_instances(settings: Settings) -> None:
    database = Database(settings)
    exchange = open_exchange(settings, database).client
    rules = managing.rules_of(settings)
    kinds = list(find_kinds().items())
    async with database.sessions() as session:
        await seed_demo(session, exchange)
        quote = await exchange.quote(SYMBOL)
        for number in range(INSTANCES):
            kind, strategy = kinds[number % len(kinds)]
            async with transactional(session):
                account = await create_account(session, f"bench-{number}")
            for currency, amount in (("USDT", MONEY), ("BTC", Decimal(10))):
                deposit = DepositRequest(f"d-{currency}", currency, amount)
                await deposit_now(session, exchange, account.id, deposit)
            request = StrategyRequest(
                kind, "bench", SYMBOL, Timeframe.M1, strategy.example(quote.bid)
            )
            async with transactional(session):
                instance = await managing.create_strategy(
                    session, account.id, request, quote.bid, rules, "bench"
                )
                await life.start(session, account.id, instance.id, "bench")
    await database.close()


async def lags(settings: Settings) -> tuple[list[float], list[float]]:
    """Return the lag of each decision, and the CPU seconds of a decision at each close."""
    found: list[float] = []
    metrics.LAG.observe = found.append
    cpu = []
    app = create_app(settings)
    database = Database(settings)
    async with app.router.lifespan_context(app):
        await all_wait_for_the_next(database)
        for _ in range(CLOSES):
            found_before = len(found)
            close = time.time() // MINUTE * MINUTE + MINUTE
            await asyncio.sleep(close - time.time())
            begin = time.process_time()
            while len(found) - found_before < INSTANCES and time.time() < close + MINUTE / 2:
                await asyncio.sleep(0.005)
            cpu.append((time.process_time() - begin) / max(1, len(found) - found_before))
    await database.close()
    return found[-CLOSES * INSTANCES :], cpu


async def all_wait_for_the_next(database: Database) -> None:
    """Wait until all of them have seen the newest candle."""
    while True:
        async with database.sessions() as session:
            newest = select(func.min(Instance.cursor_candle))
            seen = await session.scalar(newest.where(Instance.state.is_not(None)))
            ready = await session.scalar(
                select(func.count()).where(Instance.cursor_candle.is_not(None))
            )
        wanted = time.time() // MINUTE * MINUTE - MINUTE
        if ready == INSTANCES and seen is not None and seen.timestamp() >= wanted:
            return
        await asyncio.sleep(1)


def main() -> int:
    with servers():
        settings = Settings(_env_file=None, reconcile_interval=3600)
        migrate(settings)
        asyncio.run(start_instances(settings))
        found, cpu = asyncio.run(lags(settings))
    found.sort()
    p50, p99 = statistics.median(found), found[int(len(found) * 0.99)]
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {INSTANCES} instances,"
        f" {CLOSES} closes: {len(found)} decisions"
    )
    print(f"lag from close to commit: p50 {p50:.3f} s, p99 {p99:.3f} s (below {BOUND:g})")
    print(f"CPU: {statistics.median(cpu) * 1000:.1f} ms for each decision")
    return int(len(found) < CLOSES * INSTANCES or p99 >= BOUND)


if __name__ == "__main__":
    sys.exit(main())
