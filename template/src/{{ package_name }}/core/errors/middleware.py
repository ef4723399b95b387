"""The request that is being served: its ids, and the headers that every response has."""

import random
import re
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import ContextVar

import structlog
from opentelemetry import trace
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_HEADER = HEADER.lower().encode()
_CACHING = b"cache-control"
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_NO_STORE = (_CACHING, b"no-store")
_OURS = {_HEADER, _NO_SNIFFING[0]}
_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_RESPONSE_STARTS = {
    "http.response.start",
    "websocket.accept",
    "websocket.http.response.start",
}


_log = structlog.get_logger(__name__)


class ServedRequest:
    """The request that a task, or the task that started it, works for; it may be over already."""

    __slots__ = ("request_id", "scope", "trace_id")

    def __init__(self, request_id: str, trace_id: str, scope: Scope | None) -> None:
        self.request_id = request_id
        self.trace_id = trace_id
        self.scope = scope
        """None when the request is over."""


_NO_REQUEST = ServedRequest("", "", None)
_request: ContextVar[ServedRequest] = ContextVar("request", default=_NO_REQUEST)


get_request = _request.get
"""Return the request being served; outside of one, a request that is over and has no ids."""


def get_request_id() -> str:
    """Return the id of the request being served, or "" outside of one."""
    return _request.get().request_id


def get_trace_id() -> str:
    """Return the trace id of the request's span, or of the caller's `traceparent` header; or ""."""
    return _request.get().trace_id


class RequestIDMiddleware:
    """Gives each request an id, and its response the `X-Request-ID` header.

    The client's own id is taken over if it is 8 to 128 of `A-Z a-z 0-9 . _ -`; any other value
    is dropped unseen, since it would end up in logs. It is also `request.state.request_id`.

    A browser must not guess what a response is, and nobody may keep it: `Cache-Control: no-store`,
    unless the handler says otherwise.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id, trace_id = _inbound_ids(scope)
        if scope.get("fastapi.telemetry"):  # which traces this request
            trace_id = _trace_id_of_span() or trace_id
        scope.setdefault("state", {})["request_id"] = request_id
        header = (_HEADER, request_id.encode())

        def send_with_id(message: Message) -> Awaitable[None]:
            if message["type"] in _RESPONSE_STARTS:
                headers = []
                says_caching = False
                for pair in message.get("headers", ()):
                    if pair[0] == _CACHING:
                        says_caching = True
                    if pair[0] not in _OURS:
                        headers.append(pair)
                if not says_caching:
                    headers.append(_NO_STORE)
                headers += (_NO_SNIFFING, header)
                message["headers"] = headers
            return send(message)

        request = ServedRequest(request_id, trace_id, scope)
        token = _request.set(request)
        try:
            if scope["type"] == "http":
                await self.app(scope, receive, send_with_id)
            else:
                await _Handshake(self.app, scope, send_with_id).run(receive)
        except Exception as error:
            with suppress(AttributeError):  # for the server's log line
                error.request_id = request_id  # type: ignore[attr-defined]
            raise
        finally:
            _request.reset(token)
            request.scope = None


class _Handshake:
    """Answers a websocket that is refused, or fails before it is accepted.

    The server's own response would have no request id.
    """

    def __init__(self, app: ASGIApp, scope: Scope, send: Send) -> None:
        self.app = app
        self.scope = scope
        self._send = send
        self.is_over = "websocket.http.response" not in scope.get("extensions", {})

    async def run(self, receive: Receive) -> None:
        try:
            await self.app(self.scope, receive, self.send)
        except Exception as error:
            if self.is_over:
                raise
            _log.error("unhandled error", exc_info=error)
            await self._refuse(500)

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.close" and not self.is_over:
            await self._refuse(403)
        else:
            self.is_over = True
            await self._send(message)

    async def _refuse(self, status: int) -> None:
        self.is_over = True
        await self._send({"type": "websocket.http.response.start", "status": status})
        await self._send({"type": "websocket.http.response.body", "body": b""})


def _trace_id_of_span() -> str:
    span = trace.get_current_span().get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else ""


def _inbound_ids(scope: Scope) -> tuple[str, str]:
    """Return (request id, trace id): the client's where they are safe, else a new one and ""."""
    request_id = trace_id = b""
    times = 0
    for name, value in scope["headers"]:
        if name == _HEADER:
            request_id = value
            times += 1
        elif name == b"traceparent" and (match := _TRACEPARENT.fullmatch(value)):
            trace_id = match[1]
    if times == 1 and _SAFE_ID.fullmatch(request_id):  # of two, which would it be?
        return request_id.decode(), trace_id.decode()
    return new_request_id(), trace_id.decode()


def new_request_id() -> str:
    """Return an id that no other request has."""
    # It has to be unique, not secret; and `random` seeds itself anew in a forked process.
    return f"{random.getrandbits(128):032x}"
