"""Orders, one after the other from each of several clients."""

import asyncio
import time
from itertools import count

import httpx

_NUMBERS = count()


async def place(client: httpx.AsyncClient) -> int:
    """Place an order, and return what it is answered."""
    order = {
        "client_order_id": f"s{next(_NUMBERS)}",
        "symbol": "BTC-USDT",
        "side": "buy",
        "qty": "0.001",
        "limit_price": "1000",
    }
    return (await client.post("/v1/orders", json=order)).status_code


async def place_many(client: httpx.AsyncClient, number: int, clients: int = 8) -> set[int]:
    """Place `number` orders, and return what they were answered."""

    async def share() -> set[int]:
        return {await place(client) for _ in range(number // clients)}

    return set().union(*await asyncio.gather(*(share() for _ in range(clients))))


class Load:
    """Clients that place orders for the length of an `async with` block."""

    def __init__(self, client: httpx.AsyncClient, clients: int) -> None:
        self._client = client
        self._clients = clients
        self._is_over = asyncio.Event()
        self.answers: list[int] = []
        self.slowest = 0.0
        """Seconds that the slowest order has taken."""

    async def __aenter__(self) -> "Load":
        self._tasks = [asyncio.create_task(self._trade()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._is_over.set()
        await asyncio.gather(*self._tasks)

    async def _trade(self) -> None:
        while not self._is_over.is_set():
            started = time.monotonic()
            self.answers.append(await place(self._client))
            self.slowest = max(self.slowest, time.monotonic() - started)
            await asyncio.sleep(0.05)
