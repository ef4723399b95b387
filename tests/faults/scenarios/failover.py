"""The primary moves to its synchronous standby, behind an address that stays the same."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from load import Book, Load
from servers import Servers, servers, service
from table import Row
from tests.core.support.failover import Pair, Relay, url_of
from tests.core.support.faults import frozen
from trading_service.core.process.dev_servers import PASSABLE

from ._trading import Course, trade_through

CLIENTS, PATIENCE = 16, 60.0
"""More than there are connections, and who waits for long: all may hang on a frozen primary."""
AWAY = 1.0
"""Seconds until somebody promotes the standby."""


def run() -> list[Row]:
    with servers(accounts=4, postgres={"max_connections": "100"}) as at, ExitStack() as cleanup:
        return asyncio.run(_run(at, cleanup))


async def _run(at: Servers, cleanup: ExitStack) -> list[Row]:
    async def freeze(pair: Pair) -> None:
        cleanup.enter_context(frozen(pair.primary))

    endings: dict[str, Callable[[Pair], Awaitable[None]]] = {
        "the primary stays, read-only": Pair.close_primary_to_writes,
        "the primary dies": Pair.kill_primary,
        "the primary freezes": freeze,
    }
    courses: list[Course] = []
    primary = at.postgres
    async with Relay(url_of(primary), str(at.folder)) as relay:
        address = {"DB_HOST": str(at.folder), "DB_PORT": "1"}
        async with service(at, DB_TARGET_SESSION_ATTRS="read-write", **address) as running:
            for number, end in enumerate(endings.values()):
                pair = Pair(at.folder / f"pair{number}", primary)
                pair.standby.folder.parent.mkdir(PASSABLE)
                cleanup.callback(pair.standby.stop)
                await pair.follow()
                load = Load(running.port, Book(at.traders, prefix=f"{number}-"), PATIENCE)
                move = partial(_move, pair, relay, end)
                courses.append(await trade_through(load, move, CLIENTS))
                primary = pair.standby
    at = replace(at, postgres=primary)
    return [
        await course.row(f"failover: {ending}", at, courses)
        for ending, course in zip(endings, courses, strict=True)
    ]


async def _move(pair: Pair, relay: Relay, end: Callable[[Pair], Awaitable[None]]) -> None:
    await end(pair)
    await asyncio.sleep(AWAY)
    await pair.promote()
    relay.move(url_of(pair.standby))
