"""Three times as many requests as the service can serve, and then half as many.

The service has a processor to itself, if there are two; the clients, PostgreSQL and Redis share the
rest, while the peak is measured as well. What else the machine does is not kept away from either:
believe the milliseconds of a quiet one, and see `load of the machine`.
"""

import os
import time
from pathlib import Path

import uvloop
from audit import audit
from load import Book, Load, between, goodput, longest_gap, percentile
from servers import Servers, servers, service
from table import Row, answers_of

CLIENTS = 30
CAPACITY_SECONDS, BEFORE, OVER, AFTER = 8.0, 6.0, 12.0, 24.0
RECOVERY = 2.0


def run() -> list[Row]:
    cores = sorted(os.sched_getaffinity(0))
    own, *others = cores if len(cores) > 1 else cores * 2
    os.sched_setaffinity(0, others)
    try:
        return [_row(own, others, keeps_connections=keeps) for keeps in (True, False)]
    finally:
        os.sched_setaffinity(0, cores)


def _row(own: int, others: list[int], *, keeps_connections: bool) -> Row:
    with servers(accounts=10) as at:
        return uvloop.run(_run(at, own, others, keeps_connections))


async def _run(at: Servers, own: int, others: list[int], keeps_connections: bool) -> Row:
    book = Book(at.traders)
    os.sched_setaffinity(0, {own})  # which the service inherits
    async with service(at) as running:
        os.sched_setaffinity(0, others)
        load = Load(running.port, book, keeps_connections=keeps_connections)
        await load.closed(CLIENTS, 2)  # warm
        peak = await _capacity(load)
        begin = time.perf_counter()
        await load.open(0.5 * peak, BEFORE)
        over, before = time.perf_counter(), _cpu_seconds(running.process.pid)
        await load.open(3 * peak, OVER)
        end = time.perf_counter()
        used = (_cpu_seconds(running.process.pid) - before) / (end - over)
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
        f"3 x the capacity for {OVER:.0f} s, {'kept' if keeps_connections else 'new'} connections",
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
        "processors of the service": f"{used:.2f} meanwhile, of {_processors(own, others)}",
        "load of the machine": " ".join(f"{value:.1f}" for value in os.getloadavg()),
    }
    row.expect(kept >= 0.8, "goodput of 0.8 of the peak")
    row.expect(percentile(refusals, 0.95) <= 0.1, "refusals within 100 ms")
    row.expect(successes >= 0.95, "95 % success from 2 s after the end")
    return row


def _processors(own: int, others: list[int]) -> str:
    return "one it shares with its clients" if own in others else "one of its own"


def _cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _capacity(load: Load) -> float:
    started = time.perf_counter()
    await load.closed(CLIENTS, CAPACITY_SECONDS)
    return goodput(load.book.requests, started, started + CAPACITY_SECONDS)


def _times(seconds: list[float]) -> str:
    shares = (0.5, 0.95, 0.99)
    return ", ".join(
        f"p{share * 100:.0f} {percentile(seconds, share) * 1000:.0f} ms" for share in shares
    )
