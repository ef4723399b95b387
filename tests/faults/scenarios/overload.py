"""Three times as many requests as the service can serve, and then half as many."""

import asyncio
import time

from audit import audit
from load import Book, Load, between, goodput, longest_gap, percentile
from servers import Servers, servers, service
from table import Row, answers_of

CLIENTS = 30
CAPACITY_SECONDS, BEFORE, OVER, AFTER = 8.0, 6.0, 12.0, 24.0
RECOVERY = 2.0


def run() -> list[Row]:
    with servers(accounts=10) as at:
        return [asyncio.run(_run(at))]


async def _run(at: Servers) -> Row:
    book = Book(at.traders)
    async with service(at) as running:
        load = Load(running.port, book)
        await load.closed(CLIENTS, 2)  # warm
        peak = await _capacity(load)
        begin = time.perf_counter()
        await load.open(0.5 * peak, BEFORE)
        over = time.perf_counter()
        await load.open(3 * peak, OVER)
        end = time.perf_counter()
        await load.open(0.5 * peak, AFTER)
        last = time.perf_counter()
        await load.answered()
        # Neighbours change what the machine can do: the peak is that before and after.
        peak = (peak + await _capacity(load)) / 2
    requests = book.requests
    during, after = between(requests, over, end), between(requests, end + RECOVERY, last)
    refusals = [request.latency for request in during if request.status in (429, 503)]
    served = [request.latency for request in during if request.is_success]
    kept = goodput(requests, over, end) / peak
    successes = sum(request.is_success for request in after) / max(1, len(after))
    row = Row(
        f"3 x the capacity for {OVER:.0f} s",
        answers_of(during),
        longest_gap(requests, begin, last),
        await audit(at, requests),
    )
    row.figures |= {
        "peak, 30 clients": f"{peak:.0f}/s",
        "goodput meanwhile": f"{kept:.2f} of the peak",
        "success 2 s after": f"{successes:.1%}",
        "refusals": _times(refusals),
        "successes": _times(served),
    }
    row.expect(kept >= 0.8, "goodput of 0.8 of the peak")
    row.expect(percentile(refusals, 0.95) <= 0.1, "refusals within 100 ms")
    row.expect(successes >= 0.95, "95 % success from 2 s after the end")
    return row


async def _capacity(load: Load) -> float:
    started = time.perf_counter()
    await load.closed(CLIENTS, CAPACITY_SECONDS)
    return goodput(load.book.requests, started, started + CAPACITY_SECONDS)


def _times(seconds: list[float]) -> str:
    shares = (0.5, 0.95, 0.99)
    return ", ".join(
        f"p{share * 100:.0f} {percentile(seconds, share) * 1000:.0f} ms" for share in shares
    )
