"""Load as clients make it: closed loops, and an open loop that does not wait for answers.

The generator shares the machine with what it measures, so it is a bare asyncio protocol: no
client library, no tasks in an open loop, and no more of an answer is read than has to be. Run it
with `uvloop.run`, which halves its cost.
"""

import asyncio
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast
from uuid import UUID

import orjson
from servers import Trader

NO_ANSWER = 0
"""Status of a request whose client gave up, or whose connection was cut or refused."""
REFUSED = "refused"
"""Code of a request that was never sent, since nobody accepts its connection."""


@dataclass(slots=True)
class Request:
    """A request and how it ended. Times are of `time.perf_counter()`."""

    kind: str
    """"place", "cancel" or "read"."""
    trader: Trader
    client_order_id: str = ""
    """Of an order that is to be placed."""
    order_id: str = ""
    """What the answer to a placed order says, or what is to be canceled."""
    sent: float = 0
    latency: float = 0
    status: int = NO_ANSWER
    code: str = ""
    """`code` of a problem, or REFUSED."""
    retry_after: str = ""

    @property
    def is_success(self) -> bool:
        return self.status in (200, 201)

    def bytes(self) -> bytes:
        """The request as it is sent."""
        head = f"Host: service\r\nAuthorization: Bearer {self.trader.key}\r\n"
        if self.kind == "read":
            path = f"/v1/orders/{self.order_id}" if self.order_id else "/v1/accounts"
            return f"GET {path} HTTP/1.1\r\n{head}\r\n".encode()
        if self.kind == "cancel":
            return f"DELETE /v1/orders/{self.order_id} HTTP/1.1\r\n{head}\r\n".encode()
        body = _ORDER % self.client_order_id
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        return f"POST /v1/orders HTTP/1.1\r\n{head}{kind}\r\n\r\n{body}".encode()


_ORDER = (
    '{"client_order_id":"%s","symbol":"BTC-USDT","side":"buy","qty":"0.0001","limit_price":"40000"}'
)


class Book:
    """What is asked next, and all that was asked: orders, with a cancel of each fifth or so."""

    def __init__(self, traders: Iterable[Trader], cancels: float = 0.2, prefix: str = "o") -> None:
        self.traders = list(traders)
        self.requests: list[Request] = []
        self._cancels = cancels
        self._prefix = prefix
        self._open: list[tuple[Trader, str]] = []
        self._random = random.Random(7)

    def next(self) -> Request:
        """Return a new request, which the book keeps."""
        if self._open and self._random.random() < self._cancels:
            trader, order_id = self._open.pop(self._random.randrange(len(self._open)))
            request = Request("cancel", trader, order_id=order_id)
        else:
            number = len(self.requests)
            trader = self.traders[number % len(self.traders)]
            request = Request("place", trader, f"{self._prefix}{number}")
        self.requests.append(request)
        return request

    def ended(self, request: Request) -> None:
        """Note the answer; an order that is there may be canceled from now on."""
        if request.kind == "place" and request.is_success:
            self._open.append((request.trader, request.order_id))


class Connection(asyncio.Protocol):
    """A client's connection. It has one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._request: Request | None = None
        self._received = b""
        self._when_done: Callable[[], None] = _nothing
        self._first: bytes = b""

    def ask(self, request: Request, when_done: Callable[[], None]) -> None:
        """Send a request, now or once it is connected."""
        self._request, self._when_done, self._received = request, when_done, b""
        request.sent = time.perf_counter()
        if self.transport is None:
            self._first = request.bytes()
        else:
            self.transport.write(request.bytes())

    def give_up(self) -> None:
        """Leave without an answer, as a client does that has waited for too long."""
        self._done()
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        self.transport = transport
        if self._request is None and self._first:  # it has given up meanwhile
            transport.abort()
        elif self._first:
            transport.write(self._first)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, is_whole, body = self._received.partition(b"\r\n\r\n")
        if not is_whole or self._request is None:
            return
        headers = head.lower()
        if len(body) < _number(headers, b"\r\ncontent-length:"):
            return
        request = self._request
        request.status = int(head[9:12])
        if request.status >= 400:
            request.code = orjson.loads(body)["code"] if body.startswith(b"{") else ""
            request.retry_after = str(_number(headers, b"\r\nretry-after:") or "")
        elif request.kind == "place":
            request.order_id = str(UUID(orjson.loads(body)["id"]))
        if b"\r\nconnection: close" in headers and self.transport is not None:
            self.transport.close()
        self._done()

    def connection_lost(self, _error: Exception | None) -> None:
        self.transport = None
        self._first = b""
        self._done()

    @property
    def is_open(self) -> bool:
        return self.transport is not None and not self.transport.is_closing()

    def _done(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            request.latency = time.perf_counter() - request.sent
            self._when_done()


def _nothing() -> None:
    pass


def _number(headers: bytes, name: bytes) -> int:
    _, found, rest = headers.partition(name)
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


@dataclass
class Load:
    """Clients of one service, who give up after `patience` seconds."""

    port: int
    book: Book
    patience: float = 3
    keeps_connections: bool = False
    """In the open loop too, as client libraries do; else each request has a new one there."""
    _idle: list[Connection] = field(default_factory=list)
    _unanswered: set[Connection] = field(default_factory=set)

    async def closed(self, clients: int, seconds: float, pause: float = 0) -> None:
        """Have so many clients ask one request after the other, each on its own connection.

        After a refusal a client pauses for so many seconds.
        """
        end = time.perf_counter() + seconds
        await self.until(lambda: time.perf_counter() >= end, clients, pause)

    @asynccontextmanager
    async def during(self, clients: int, pause: float = 0) -> AsyncIterator[None]:
        """Have clients ask, as `closed` does, for as long as the block takes."""
        is_over = asyncio.Event()
        asking = asyncio.create_task(self.until(is_over.is_set, clients, pause))
        try:
            yield
        finally:
            is_over.set()
            await asking

    async def until(self, is_over: Callable[[], bool], clients: int, pause: float = 0) -> None:
        """Have clients ask, as `closed` does, until it is over."""
        await asyncio.gather(*(self._client(is_over, pause) for _ in range(clients)))

    async def _client(self, is_over: Callable[[], bool], pause: float) -> None:
        connection = Connection()
        while not is_over():
            request = self.book.next()
            connection = await self.ask(request, connection)
            self.book.ended(request)
            if request.retry_after:
                await asyncio.sleep(pause)

    async def ask(self, request: Request, connection: Connection | None = None) -> Connection:
        """Ask and wait for the answer; return the connection, a new one if it had to be."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        connection = connection if connection and connection.is_open else Connection()
        is_new = connection.transport is None
        connection.ask(request, done.set)
        timer = loop.call_later(self.patience, connection.give_up)
        try:
            if is_new:
                await loop.create_connection(lambda: connection, "127.0.0.1", self.port)
            await done.wait()
        except OSError:
            request.code = REFUSED
            request.latency = time.perf_counter() - request.sent
            await asyncio.sleep(0.01)
        finally:
            timer.cancel()
        return connection

    async def open(self, rate: float, seconds: float) -> None:
        """Send so many requests a second, whatever becomes of them.

        Returns when the last one is sent; `answered` waits for the answers.
        """
        started = time.perf_counter()
        sent = 0
        while (elapsed := time.perf_counter() - started) < seconds:
            while sent < rate * elapsed:
                sent += 1
                self._launch(self.book.next())
            await asyncio.sleep(0.005)

    async def answered(self) -> None:
        """Wait until each request of the open loop is answered or given up."""
        while self._unanswered:
            await asyncio.sleep(0.01)

    def _launch(self, request: Request) -> None:
        loop = asyncio.get_running_loop()
        connection = self._idle_connection()
        is_new = connection.transport is None
        self._unanswered.add(connection)

        def done() -> None:
            self._unanswered.discard(connection)
            timer.cancel()
            self.book.ended(request)
            if self.keeps_connections and request.status != NO_ANSWER:
                self._idle.append(connection)
            elif connection.transport is not None:
                connection.transport.close()

        connection.ask(request, done)
        timer = loop.call_later(self.patience, connection.give_up)
        if is_new:
            opening = loop.create_task(
                loop.create_connection(lambda: connection, "127.0.0.1", self.port)  # type: ignore[arg-type]
            )
            opening.add_done_callback(lambda task: _refused(task, connection))

    def _idle_connection(self) -> Connection:
        """Return a connection that has no request, a new one if there is none."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        return Connection()


def _refused(task: "asyncio.Task[object]", connection: Connection) -> None:
    if task.exception() is not None:
        connection.connection_lost(None)


# --- What came of it -----------------------------------------------------------------------------


def between(requests: Iterable[Request], start: float, end: float) -> list[Request]:
    """The requests that were sent in that time."""
    return [request for request in requests if start <= request.sent < end]


def goodput(requests: Iterable[Request], start: float, end: float) -> float:
    """Successful answers a second that came in that time."""
    times = [request.sent + request.latency for request in requests if request.is_success]
    return sum(start <= at < end for at in times) / (end - start)


def longest_gap(requests: Iterable[Request], start: float, end: float) -> float:
    """The longest time within which no successful answer came, in seconds."""
    times = sorted(request.sent + request.latency for request in requests if request.is_success)
    marks = [start, *(at for at in times if start < at < end), end]
    return max(after - before for before, after in itertools.pairwise(marks))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0
