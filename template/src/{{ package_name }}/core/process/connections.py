"""The connections of clients: uvicorn's, with a bound on everything that one of them may take."""

import asyncio
import copy
import multiprocessing
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from ..config import Settings
from ..errors.exceptions import ErrorCode
from ..errors.middleware import HEADER, new_request_id
from ..observability.metrics import count_request
from .garbage import importing

_log = structlog.get_logger(__name__)

MAX_HEAD: Final = 65_536
"""Bytes from a request's first line to its last header, and of what follows a body's last chunk."""
MAX_HEADERS: Final = 128
MAX_PIPELINED: Final = 16
"""Requests of one connection that may wait for the answer to the one before them."""

_BETWEEN, _IN_HEAD, _IN_BODY = range(3)


@dataclass(frozen=True)
class Limits:
    """Limits of what the clients of a process may take of it."""

    keep_alive: int = 75
    client_timeout: float = 30
    connections: int = 10_000
    other_files: int = 0
    """Files and connections that the process has open besides, such as those to PostgreSQL."""
    shutdown_timeout: float = 10
    trusted_proxies: tuple[str, ...] = ()
    """Those that may say for whom they ask, and over what."""

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        http, db, redis = settings.http, settings.db, settings.redis
        others = db.pool_size + db.max_overflow + redis.max_connections
        return cls(
            http.keep_alive,
            http.client_timeout,
            http.max_connections,
            others,
            http.shutdown_timeout,
            http.trusted_proxies,
        )


class Config(uvicorn.Config):
    """uvicorn's, with the limits of the connections."""

    def __init__(self, application: str, limits: Limits, **options: Any) -> None:
        super().__init__(
            application,
            http=Connection,
            timeout_keep_alive=limits.keep_alive,
            forwarded_allow_ips=list(limits.trusted_proxies),
            **options,
        )
        self.limits = limits

    def load_app(self) -> Any:
        with importing():
            return super().load_app()


class Load:
    """Number of each worker's connections, in memory that all of them share."""

    def __init__(self, workers: int = 1) -> None:
        """With one worker nothing is shared. Raises OSError if there is no place for it."""
        make = multiprocessing.get_context("spawn").RawArray
        self._counts = make("i", workers) if workers > 1 else [0]
        self._mine = 0
        self._is_over = False

    def of_worker(self, index: int) -> "Load":
        """Return the same as the worker of that index sees it, which has nothing yet."""
        load = copy.copy(self)
        load._mine = index
        load.set(_NOT_LISTENING)
        return load

    def set(self, count: int) -> None:
        """Say how many connections this worker has."""
        if not self._is_over:
            self._counts[self._mine] = count

    def end(self) -> None:
        """Say that this worker takes no more, so that no other one leaves any to it."""
        self.set(_NOT_LISTENING)
        self._is_over = True

    def is_more_than_another(self) -> bool:
        """Tell whether another worker has fewer."""
        mine = self._counts[self._mine]
        return any(count < mine for count in self._counts)


_NOT_LISTENING = 2**31 - 1


class Connections(ServerState):
    """The connections of a process, and which of them could be closed without any harm."""

    def __init__(self, load: Load) -> None:
        super().__init__()
        self.load = load
        self.strangers: dict[Connection, None] = {}
        """Those that have not been served yet, and wait for their client; the longest first."""
        self.waiting: dict[Connection, None] = {}
        """Those that wait for their client to send another request, the rest of it, or to read.

        The longest first.
        """

    def close_one(self) -> bool:
        """Close the connection that has waited for its client the longest, if one does.

        A client that was served before keeps its own as long as there are others.
        """
        connection = next(iter(self.strangers or self.waiting), None)
        if connection is None:
            return False
        self.connections.discard(connection)
        self.let_be(connection)
        connection.transport.abort()
        return True

    def let_be(self, connection: "Connection") -> None:
        """Note that it does not wait for its client."""
        self.strangers.pop(connection, None)
        self.waiting.pop(connection, None)


class Connection(HttpToolsProtocol):
    """A connection, whose client may send so much, within so many seconds, and no more.

    What is not taken is answered as a problem with a request id, where an answer is possible.
    """

    server_state: Connections

    def __init__(
        self,
        config: Config,
        server_state: Connections,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._client_timeout = config.limits.client_timeout
        self._stage = _BETWEEN
        self._unused = 0  # bytes since the last of a request's head or body
        self._deadline: asyncio.TimerHandle | None = None
        self._reading_deadline: asyncio.TimerHandle | None = None
        self._fault: tuple[ErrorCode, str] | None = None
        self._is_refused = False

    # --- What uvicorn tells of the connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._count()
        self.server_state.strangers[self] = None
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._count()
        self._unset_keepalive_if_required()
        self.server_state.let_be(self)
        for deadline in (self._deadline, self._reading_deadline):
            if deadline is not None:
                deadline.cancel()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._unused += len(data)
        super().data_received(data)
        if not self._unused and not self._stage:
            return
        if self._unused > MAX_HEAD:
            self._refuse(*_HEAD_TOO_LARGE)
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self._client_timeout, self._is_late)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.server_state.waiting[self] = None
        self._reading_deadline = self.loop.call_later(self._client_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_busy()
        if self._reading_deadline is not None:
            self._reading_deadline.cancel()

    def handle_websocket_upgrade(self) -> None:
        self.server_state.let_be(self)  # it is a websocket's from here on
        super().handle_websocket_upgrade()

    def _count(self) -> None:
        self.server_state.load.set(len(self.connections))

    def _is_busy(self) -> None:
        """Note that it is the client now who waits, unless it has its answer."""
        if self.cycle is None or not self.cycle.response_complete:
            self.server_state.let_be(self)

    # --- What the parser tells of the request ---

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._stage = _IN_HEAD

    def on_headers_complete(self) -> None:
        # Most often the whole request has come at once, and is small.
        if self._unused > MAX_HEAD:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > MAX_HEAD:
                self._stop(_HEAD_TOO_LARGE)
        if len(self.headers) > MAX_HEADERS:
            self._stop(_TOO_MANY_HEADERS)
        if len(self.pipeline) >= MAX_PIPELINED:
            self._stop(_TOO_MANY_PIPELINED)
        super().on_headers_complete()
        self._stage = _IN_BODY
        self._unused = 0
        if not self.parser.should_upgrade():
            self.headers = []  # for what follows the body, which belongs to no request's headers

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._stage = _BETWEEN
        self._unused = 0
        self._is_busy()
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self.cycle.response_complete:  # and not only one of several that were pipelined
            self.server_state.waiting[self] = None
            if self._is_refused:
                self._answer()

    # --- Refusing ---

    def _stop(self, fault: tuple[ErrorCode, str]) -> None:
        """Have the parser stop: what is raised in here makes it ask for `send_400_response`."""
        self._fault = fault
        raise ValueError(fault[1])

    def send_400_response(self, _msg: str) -> None:
        self._refuse(*(self._fault or _NO_HTTP))

    def _is_late(self) -> None:
        self._deadline = None
        self._refuse(
            ErrorCode.REQUEST_TIMEOUT,
            f"A request has to arrive whole within {self._client_timeout:g} seconds",
        )

    def _refuse(self, code: ErrorCode, detail: str) -> None:
        """Take nothing more, answer the request that is incomplete, and close the connection.

        Not before those are answered that were whole.
        """
        if self.transport.is_closing():
            return
        self._is_refused = True
        self._fault = code, detail
        self.flow.pause_reading()
        is_answered = self.cycle is None or self.cycle.response_complete
        if self._stage is _IN_BODY:
            # Of a request that is answered already, only the rest of its body is missing.
            if is_answered or self.cycle.response_started or self.pipeline:
                self.transport.close()
            else:
                self.cycle.disconnected = True  # what the application answers is not sent
                self._answer()
        elif is_answered:
            self._answer()

    def _answer(self) -> None:
        assert self._fault is not None
        code, detail = self._fault
        known = self._stage is _IN_BODY and self.scope["state"].get("request_id")
        request_id = known or new_request_id()
        reason = sys.exception()  # the parser's
        _log.info(
            "refused",
            code=code,
            detail=detail,
            **({"reason": str(reason)} if reason else {}),
            client=self.client[0] if self.client else "",
            request_id=request_id,
        )
        count_request("other", "unparsed", code.status, 0)
        body = orjson.dumps(
            {
                "type": f"urn:problem:{code.lower().replace('_', '-')}",
                "title": code.summary,
                "status": code.status,
                "detail": detail,
                "instance": "",
                "code": code,
                "request_id": request_id,
                "timestamp": datetime.now(UTC),
                "details": {},
            }
        )
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (HEADER.lower().encode(), request_id.encode()),
            (b"connection", b"close"),
        ]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[code.status], *lines, b"\r\n", body]))
        self.transport.close()


_NO_HTTP = ErrorCode.BAD_REQUEST, "This is no valid HTTP request"
_HEAD_TOO_LARGE = (
    ErrorCode.HEADERS_TOO_LARGE,
    f"The headers of a request may have {MAX_HEAD} bytes at most",
)
_TOO_MANY_HEADERS = (
    ErrorCode.HEADERS_TOO_LARGE,
    f"A request may have {MAX_HEADERS} headers at most",
)
_TOO_MANY_PIPELINED = (
    ErrorCode.BAD_REQUEST,
    f"At most {MAX_PIPELINED} requests may wait for the answer to another one",
)
