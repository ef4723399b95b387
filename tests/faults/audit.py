"""An exact audit: what clients were told, against what the database holds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from load import NO_ANSWER, Request
from servers import FUNDS, Servers

NOT_STORED = {400, 401, 403, 404, 409, 413, 415, 422, 429, 499, 503, 504}
"""An order that was answered so must not be open. A 500 may be an unknown outcome."""
CANCELED = ("canceled", "pending_cancel")


@dataclass
class Audit:
    """What an audit has found. It is right if there are no faults."""

    acknowledged: int = 0
    canceled: int = 0
    unanswered_and_stored: int = 0
    """Orders that are there although their client got no answer: neither right nor wrong."""
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.faults:
            return f"{len(self.faults)} FAULTS: {'; '.join(self.faults[:3])}"
        return (
            f"{self.acknowledged} orders, {self.canceled} cancels, holds exact; "
            f"{self.unanswered_and_stored} stored unheard"
        )


async def audit(servers: Servers, requests: Iterable[Request]) -> Audit:
    """Compare each request of every load that was put on `servers` with the database.

    Call it when the service has ended, and can store nothing any more.

    - An acknowledged order is there once, by its id and its name, and open unless canceled.
    - An acknowledged cancel has canceled, or is on its way; nothing else is canceled.
    - An order that was refused is denied or not there, and none is that nobody has asked for.
    - No cancel was told that there is no such order: only acknowledged ones are canceled.
    - An open order holds what it costs, and one that has ended nothing.
    - What is held of a currency is the sum of the open orders; available and held are constant.
    """
    connection = await servers.connect()
    try:
        async with connection.transaction(isolation="repeatable_read"):
            orders = await connection.fetch("SELECT * FROM orders")
            balances = await connection.fetch("SELECT * FROM balances")
    finally:
        await connection.close()
    found = Audit()
    asked = list(requests)
    _compare_orders(found, asked, orders)
    _compare_cancels(found, asked, orders)
    mine = {trader.account_id for trader in servers.traders}
    held = [row for row in balances if row["account_id"] in mine]
    if len(held) != len(mine) * len(FUNDS):
        found.faults.append(f"there are {len(held)} balances, not {len(mine) * len(FUNDS)}")
    _compare_holds(found, orders, held)
    return found


def _compare_orders(found: Audit, requests: list[Request], orders: list[Any]) -> None:
    stored = {(row["account_id"], row["client_order_id"]): row for row in orders}
    if len(stored) != len(orders):
        found.faults.append("an order is there twice")
    asked = {
        (request.trader.account_id, request.client_order_id): request
        for request in requests
        if request.kind == "place"
    }
    found.faults += [f"{name} was never asked for" for _, name in stored.keys() - asked.keys()]
    for name, request in asked.items():
        row = stored.get(name)
        if request.is_success:
            found.acknowledged += 1
            if row is None or row["id"] != UUID(request.order_id):
                found.faults.append(f"{request.client_order_id} was acknowledged and is lost")
        elif request.status in NOT_STORED and row is not None and row["status"] != "denied":
            found.faults.append(f"{request.client_order_id} is there after a {request.status}")
        elif request.status == NO_ANSWER and row is not None:
            found.unanswered_and_stored += 1


def _compare_cancels(found: Audit, requests: list[Request], orders: list[Any]) -> None:
    cancels: dict[UUID, set[int]] = {}
    for request in requests:
        if request.kind == "cancel":
            cancels.setdefault(UUID(request.order_id), set()).add(request.status)
    for row in orders:
        answers = cancels.get(row["id"], set())
        if 200 in answers:
            found.canceled += 1
            if row["status"] not in CANCELED:
                found.faults.append(f"{row['client_order_id']} is open after its cancel")
        elif 404 in answers:
            found.faults.append(f"{row['client_order_id']} was not found by its cancel")
        elif row["status"] in CANCELED and answers <= NOT_STORED:
            found.faults.append(f"{row['client_order_id']} is canceled, and nobody was told so")


def _compare_holds(found: Audit, orders: list[Any], balances: list[Any]) -> None:
    held: Counter[tuple[UUID, str]] = Counter()
    for row in orders:
        if row["status"] in ("pending_new", "new", "pending_cancel"):
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
