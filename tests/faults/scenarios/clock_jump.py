"""The clock of the service is set three days ahead, and two days back, while others trade."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import httpx
from load import Book, Load
from servers import Servers, Trader, servers, service
from table import Row, not_shown

from ._trading import Course, trade_through

NAME = "the service's clock jumps"
JUMPS = ("+3d", "-2d")
KEY_CACHE = 2.0
"""KEY_CACHE_SECONDS, by default."""
SECONDS = 1.0


def run() -> list[Row]:
    library = _faketime()
    if library is None:
        return [not_shown(NAME, "libfaketime is not installed")]
    with servers(accounts=6) as at:
        return asyncio.run(_run(at, library))


def _faketime() -> Path | None:
    spec = find_spec("libfaketime")
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or [] for path in Path(folder).rglob("libfaketime.so.1")]
    return found[0] if found else None


async def _run(at: Servers, library: Path) -> list[Row]:
    clock = at.folder / "clock"
    clock.write_text("+0")
    environment = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    *traders, first, second = at.traders
    seen: list[Seen] = []
    courses: list[Course] = []
    async with service(at, **environment) as running:
        for jump, spare in zip(JUMPS, (first, second), strict=True):

            async def set_clock(jump: str = jump, spare: Trader = spare) -> None:
                clock.write_text(jump)
                await asyncio.sleep(SECONDS)
                seen.append(await _look(at, running.port, spare))
                clock.write_text("+0")

            load = Load(running.port, Book(traders, prefix=f"c{jump[1:]}-"))
            courses.append(await trade_through(load, set_clock))
    rows = []
    for jump, course, found in zip(JUMPS, courses, seen, strict=True):
        row = await course.row(f"the service's clock set by {jump}", at, courses)
        row.figures["a revoked key"] = f"refused after {found.revoked_for:.1f} s"
        row.expect(abs(found.ahead.days) > 1, "a clock that is wrong")
        row.expect(all(request.is_success for request in course.requests), "no request fails")
        row.expect(0 < found.uptime < 600, f"an uptime that is right, not {found.uptime}")
        row.expect(found.revoked_for < KEY_CACHE + 0.5, "a revoked key refused in time")
        rows.append(row)
    return rows


@dataclass
class Seen:
    """What the service says while its clock is wrong."""

    ahead: timedelta
    uptime: float
    revoked_for: float
    """Seconds for which a key was accepted that had been revoked."""


async def _look(at: Servers, port: int, spare: Trader) -> Seen:
    address = f"http://127.0.0.1:{port}"
    key = {"Authorization": f"Bearer {spare.key}"}
    async with httpx.AsyncClient(base_url=address) as client:
        database = (await client.get("/health/db")).json()
        uptime = (await client.get("/health/")).json()["uptime"]
        (await client.get("/v1/accounts", headers=key)).raise_for_status()
        connection = await at.connect()
        await connection.execute(
            "UPDATE api_keys SET revoked_at = now() WHERE account_id = $1", spare.account_id
        )
        await connection.close()
        revoked = time.perf_counter()
        while (await client.get("/v1/accounts", headers=key)).status_code != 401:
            if time.perf_counter() > revoked + 2 * KEY_CACHE:
                break
            await asyncio.sleep(0.05)
    ahead = datetime.fromisoformat(database["checked_at"]) - datetime.now(UTC)
    return Seen(ahead, uptime, time.perf_counter() - revoked)
