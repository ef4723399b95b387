"""Thirty orders of an account whose row is locked, while others trade and keys are guessed."""

import asyncio
import time

from audit import audit
from load import Book, Load, Request, between, longest_gap, percentile
from servers import Servers, Trader, servers, service
from table import Row, answers_of

SECONDS = 10.0


def run() -> list[Row]:
    with servers(accounts=3) as at:
        return [asyncio.run(_run(at))]


async def _run(at: Servers) -> Row:
    stuck, *others = at.traders
    of_stuck, of_others = Book([stuck], cancels=0, prefix="s"), Book(others)
    bogus: list[Request] = []
    async with service(at) as running:
        load = Load(running.port, of_others)
        await load.closed(2, 1)
        await Load(running.port, of_stuck).closed(1, 1)
        lock = await at.connect()
        transaction = lock.transaction()
        await transaction.start()
        await lock.execute(
            "SELECT 1 FROM balances WHERE account_id = $1 FOR UPDATE", stuck.account_id
        )
        begin = time.perf_counter()
        try:
            await asyncio.gather(
                Load(running.port, of_stuck, patience=30).closed(30, SECONDS, pause=1),
                load.closed(4, SECONDS),
                _guess(load, bogus, begin + SECONDS),
            )
        finally:
            end = time.perf_counter()
            await transaction.rollback()
            await lock.close()
    meanwhile = between(of_others.requests, begin, begin + SECONDS)
    row = Row(
        f"one account locked for {end - begin:.0f} s",
        f"{answers_of(meanwhile)}; of the account {answers_of(of_stuck.requests)}",
        longest_gap(of_others.requests, begin, begin + SECONDS),
        await audit(at, [*of_stuck.requests, *of_others.requests]),
    )
    slowest = {
        "others": percentile([request.latency for request in meanwhile], 0.99),
        "unknown keys": percentile([request.latency for request in bogus], 0.99),
    }
    row.figures |= {f"{who}, p99": f"{seconds * 1000:.0f} ms" for who, seconds in slowest.items()}
    row.expect(all(request.is_success for request in meanwhile), "each request of others served")
    row.expect(max(slowest.values()) < 1, "others and unknown keys answered within a second")
    return row


async def _guess(load: Load, asked: list[Request], until: float) -> None:
    """Ask with an unknown key less often than its limit."""
    stranger = Trader(load.book.traders[0].account_id, "sk_a_unknown")
    while time.perf_counter() < until:
        asked.append(Request("read", stranger))
        await load.ask(asked[-1])
        await asyncio.sleep(1.5)
