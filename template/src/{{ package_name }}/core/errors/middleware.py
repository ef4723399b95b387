"""The request id."""

import os
import re
from contextvars import ContextVar
from typing import NamedTuple

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


class _Ids(NamedTuple):
    request_id: str = ""
    trace_id: str = ""


_NONE = _Ids()
_ids: ContextVar[_Ids] = ContextVar("request_ids", default=_NONE)


def get_request_id() -> str:
    """The id of the request being served, or "" outside of one."""
    return _ids.get().request_id


def get_trace_id() -> str:
    """The trace id of the caller's `traceparent` header, or "" without a valid one."""
    return _ids.get().trace_id


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
        request_id = ids.request_id
        scope.setdefault("state", {})["request_id"] = request_id
        header = (_HEADER, request_id.encode())

        is_open = scope["type"] == "http"

        async def send_with_id(message: Message) -> None:
            nonlocal is_open
            if message["type"] in _RESPONSE_STARTS:
                others = [pair for pair in message.get("headers", ()) if pair[0] != _HEADER]
                message["headers"] = [*others, header]
                is_open = True
            elif not is_open and "websocket.http.response" in scope.get("extensions", {}):
                # Closed before it was accepted: the server's own answer would have no id.
                start = {"type": "websocket.http.response.start", "status": 403}
                await send(start | {"headers": [header]})
                message = {"type": "websocket.http.response.body", "body": b""}
            await send(message)

        token = _ids.set(ids)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            error.request_id = request_id  # type: ignore[attr-defined]  # for the server's log line
            raise
        finally:
            _ids.reset(token)


def _inbound(scope: Scope) -> _Ids:
    """The client's ids where they are safe, else new ones."""
    request_id = trace_id = b""
    for name, value in scope["headers"]:
        if name == _HEADER:
            request_id = b"" if request_id else value  # two are none: which would it be?
        elif name == b"traceparent" and (match := _TRACEPARENT.fullmatch(value)):
            trace_id = match[1]
    is_safe = _SAFE_ID.fullmatch(request_id)
    return _Ids(request_id.decode() if is_safe else os.urandom(16).hex(), trace_id.decode())
