"""An exact audit: what clients were told, against what the database and the venue hold."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

import asyncpg
from load import NO_ANSWER, Request
from servers import FUNDS, PROGRAM, Servers, environment_of, service

NOT_STORED = {400, 401, 403, 404, 409, 413, 415, 422, 429, 499, 503, 504}
"""An order that was answered so must not be there. A 500 may be an unknown outcome."""
NEVER_SENT = "NEVER_SENT"
SETTLING_SECONDS = 60.0
"""For so long the service may get on with nothing that it was told to do."""


@dataclass
class Audit:
    """What an audit has found. It is right if there are no faults."""

    acknowledged: int = 0
    canceled: int = 0
    at_venue: int = 0
    unanswered_and_stored: int = 0
    """Orders that are there although their client got no answer: neither right nor wrong."""
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.faults:
            return f"{len(self.faults)} FAULTS: {'; '.join(self.faults[:3])}"
        return (
            f"{self.acknowledged} orders, {self.canceled} cancels, holds exact; "
            f"{self.at_venue} at the venue; {self.unanswered_and_stored} stored unheard"
        )


async def audit(servers: Servers, requests: Iterable[Request]) -> Audit:
    """Compare each request of every load that was put on `servers` with the database.

    Call it when the service has ended. It is started again, so that it sends and settles what it
    was told to; no client asks for more meanwhile. Then all is as it has to be:

    - An acknowledged order is there once, by its id and its name, and open unless canceled.
    - An acknowledged cancel has canceled; nothing is that no cancel was sent for.
    - An order that was refused is not there, or denied where that was the answer, and none is that
      nobody has asked for.
    - No cancel was told that there is no such order: only acknowledged ones are canceled.
    - An open order holds what it costs, and one that has ended nothing.
    - What is held of a currency is the sum of the open orders; available and held are constant.
    - Each order that was sent is at the venue once, as it is here; no other is. So is the money.
    - `verify-books` finds nothing.
    """
    found = Audit()
    async with service(servers, **servers.postgres.environment):
        await _settle(servers, found)
    verified = await asyncio.to_thread(
        subprocess.run,
        [PROGRAM, "verify-books"],
        env=environment_of(servers),
        capture_output=True,
        text=True,
        check=False,
    )
    if verified.returncode:
        found.faults += (verified.stdout + verified.stderr).splitlines()
    connection = await servers.connect()
    try:
        async with connection.transaction(isolation="repeatable_read"):
            tables = ("orders", "balances", "paper.orders", "paper.balances")
            orders, balances, venue_orders, venue_balances = [
                await connection.fetch(f"SELECT * FROM {table}") for table in tables
            ]
    finally:
        await connection.close()
    asked = list(requests)
    _compare_orders(found, asked, orders)
    _compare_cancels(found, asked, orders)
    mine = {trader.account_id for trader in servers.traders}
    held = [row for row in balances if row["account_id"] in mine]
    if len(held) != len(mine) * len(FUNDS):
        found.faults.append(f"there are {len(held)} balances, not {len(mine) * len(FUNDS)}")
    _compare_holds(found, orders, held)
    _compare_venue(found, orders, venue_orders)
    _compare_venue_money(found, balances, venue_balances)
    return found


async def _settle(servers: Servers, found: Audit) -> None:
    """Wait until nothing is on its way any more, as long as the service gets on with it."""
    connection = await servers.connect()
    try:
        clock = asyncio.get_running_loop().time
        since, before = clock(), -1
        while left := await connection.fetchval(ON_THE_WAY):
            if left != before:
                since, before = clock(), left
            elif clock() - since > SETTLING_SECONDS:
                found.faults.append(f"{left} commands and orders are on their way for ever")
                return
            await asyncio.sleep(0.1)
    finally:
        await connection.close()


ON_THE_WAY = """
    SELECT (SELECT count(*) FROM outbox)
        + (SELECT count(*) FROM orders WHERE status IN ('pending_new', 'pending_cancel'))
"""


def _compare_orders(found: Audit, requests: list[Request], orders: list[asyncpg.Record]) -> None:
    stored = {(row["account_id"], row["client_order_id"]): row for row in orders}
    if len(stored) != len(orders):
        found.faults.append("an order is there twice")
    asked = {
        (request.trader.account_id, request.client_order_id): request
        for request in requests
        if request.kind == "place"
    }
    found.faults += [f"{name} was never asked for" for _, name in stored.keys() - asked.keys()]
    for key, request in asked.items():
        row, name = stored.get(key), request.client_order_id
        if request.is_success:
            found.acknowledged += 1
            if row is None or row["id"] != UUID(request.order_id):
                found.faults.append(f"{name} was acknowledged and is lost")
            elif row["status"] not in ("new", "canceled"):
                found.faults.append(f"{name} was acknowledged and is {row['status']}")
        elif row is None:
            continue
        elif request.status in NOT_STORED:
            if (request.status, row["status"]) != (422, "denied"):
                found.faults.append(f"{name} is {row['status']} after a {request.status}")
        elif row["status"] != "new":  # nobody knew its id, to cancel it
            found.faults.append(f"{name} got no answer and is {row['status']}")
        elif request.status == NO_ANSWER:
            found.unanswered_and_stored += 1


def _compare_cancels(found: Audit, requests: list[Request], orders: list[asyncpg.Record]) -> None:
    cancels: dict[UUID, set[int]] = {}
    for request in requests:
        if request.kind == "cancel":
            cancels.setdefault(UUID(request.order_id), set()).add(request.status)
    for row in orders:
        answers = cancels.get(row["id"], set())
        if 200 in answers:
            found.canceled += 1
            if row["status"] != "canceled":
                found.faults.append(f"{row['client_order_id']} is open after its cancel")
        elif 404 in answers:
            found.faults.append(f"{row['client_order_id']} was not found by its cancel")
        elif row["status"] == "canceled" and answers <= NOT_STORED:
            found.faults.append(f"{row['client_order_id']} is canceled, and nobody was told so")


def _compare_holds(
    found: Audit, orders: list[asyncpg.Record], balances: list[asyncpg.Record]
) -> None:
    held: Counter[tuple[UUID, str]] = Counter()
    for row in orders:
        if row["status"] == "new":
            held[row["account_id"], row["held_currency"]] += row["held"]
            if row["held"] != row["qty"] * row["limit_price"]:  # each of them buys
                found.faults.append(f"{row['client_order_id']} holds {row['held']}")
        elif row["held"]:
            found.faults.append(f"{row['client_order_id']} has ended and holds {row['held']}")
    for row in balances:
        right = held[row["account_id"], row["currency"]]
        if row["held"] != right:
            found.faults.append(f"{row['currency']} holds {row['held']}, its orders {right}")
        if row["available"] + row["held"] != FUNDS.get(row["currency"], Decimal(0)):
            found.faults.append(f"{row['currency']} of {row['account_id']} has come or gone")


SAME = ("account_id", "symbol", "side", "type", "qty", "limit_price", "status", "filled_qty")


def _compare_venue(
    found: Audit, orders: list[asyncpg.Record], venue_orders: list[asyncpg.Record]
) -> None:
    sent = {
        row["id"].hex: row
        for row in orders
        if row["status"] != "denied" and row["reason_code"] != NEVER_SENT
    }
    there = {row["venue_client_id"]: row for row in venue_orders}
    found.at_venue = len(there)
    if len(there) != len(venue_orders):
        found.faults.append("an order is at the venue twice")
    found.faults += [
        f"the venue has {name}, and no order is" for name in there.keys() - sent.keys()
    ]
    for name, row in sent.items():
        other = there.get(name)
        if other is None:
            found.faults.append(f"{row['client_order_id']} is {row['status']}, not at the venue")
            continue
        different = [field for field in SAME if row[field] != other[field]]
        if row["venue_order_id"] != str(other["number"]):
            different.append("venue_order_id")
        if different:
            found.faults.append(f"{row['client_order_id']}, {', '.join(different)}: differs there")


def _compare_venue_money(
    found: Audit, balances: list[asyncpg.Record], venue_balances: list[asyncpg.Record]
) -> None:
    ours, theirs = (
        {(row["account_id"], row["currency"]): (row[free], row[bound]) for row in rows}
        for rows, free, bound in (
            (balances, "available", "held"),
            (venue_balances, "free", "frozen"),
        )
    )
    for key in ours.keys() | theirs.keys():
        if ours.get(key) != theirs.get(key):
            found.faults.append(
                f"{key[1]} of {key[0]} is {ours.get(key)} here, {theirs.get(key)} at the venue"
            )
