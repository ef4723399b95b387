"""The request id."""

import random
import re
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_HEADER = HEADER.lower().encode()
_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_RESPONSE_STARTS = {
    "http.response.start",
    "websocket.accept",
    "websocket.http.response.start",
}


_ids: ContextVar[tuple[str, str]] = ContextVar("request_ids", default=("", ""))


def get_ids() -> tuple[str, str]:
    """(request id, trace id) of the request being served; "" for what there is not."""
    return _ids.get()


def get_request_id() -> str:
    """The id of the request being served, or "" outside of one."""
    return _ids.get()[0]


def get_trace_id() -> str:
    """The trace id of the caller's `traceparent` header, or "" without a valid one."""
    return _ids.get()[1]


class RequestIDMiddleware:
    """Gives each request an id, and its response the `X-Request-ID` header.

    The client's own id is taken over if it is 8 to 128 of `A-Z a-z 0-9 . _ -`; any other value
    is dropped unseen, since it would end up in logs. It is also `request.state.request_id`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        ids = _inbound(scope)
        request_id = ids[0]
        scope.setdefault("state", {})["request_id"] = request_id
        header = (_HEADER, request_id.encode())

        async def send_with_id(message: Message) -> None:
            if message["type"] in _RESPONSE_STARTS:
                headers = message.get("headers", ())
                message["headers"] = [*(pair for pair in headers if pair[0] != _HEADER), header]
            await send(message)

        is_http = scope["type"] == "http"
        token = _ids.set(ids)
        try:
            await self.app(
                scope,
                receive,
                send_with_id if is_http else _refusing_with(header, scope, send_with_id),
            )
        except Exception as error:
            error.request_id = request_id  # type: ignore[attr-defined]  # for the server's log line
            raise
        finally:
            _ids.reset(token)


def _refusing_with(header: tuple[bytes, bytes], scope: Scope, send: Send) -> Send:
    """A websocket's `send` that refuses with an answer of ours: the server's has no id."""
    is_open = "websocket.http.response" not in scope.get("extensions", {})

    async def send_or_refuse(message: Message) -> None:
        nonlocal is_open
        if message["type"] == "websocket.close" and not is_open:
            start = {"type": "websocket.http.response.start", "status": 403, "headers": [header]}
            await send(start)
            message = {"type": "websocket.http.response.body", "body": b""}
        is_open = True
        await send(message)

    return send_or_refuse


def _inbound(scope: Scope) -> tuple[str, str]:
    """The client's ids where they are safe, else new ones."""
    request_id = trace_id = b""
    for name, value in scope["headers"]:
        if name == _HEADER:
            request_id = b"" if request_id else value  # two are none: which would it be?
        elif name == b"traceparent" and (match := _TRACEPARENT.fullmatch(value)):
            trace_id = match[1]
    if request_id and _SAFE_ID.fullmatch(request_id):
        return request_id.decode(), trace_id.decode()
    # It has to be unique, not secret; and `random` seeds itself anew in a forked process.
    return f"{random.getrandbits(128):032x}", trace_id.decode()
