"""Ids of orders: the same decision of the same strategy has the same id, whoever makes it."""

from base64 import b32encode
from hashlib import sha256
from uuid import UUID

from .strategy import OrderKey


def client_order_id(strategy_id: UUID | str, key: OrderKey) -> str:
    """Return the id of an order: 26 letters and digits, which every exchange takes.

    A step that is made twice, by two processes or after a crash, asks for the same order twice;
    the second request is answered with the first one's order.
    """
    name = f"{strategy_id}:{key.role}:{key.cycle}:{key.n}"
    return "s" + b32encode(sha256(name.encode()).digest()).decode().lower()[:25]
