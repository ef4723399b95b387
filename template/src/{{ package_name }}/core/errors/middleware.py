"""The request id."""

import os
import re
from contextvars import ContextVar

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"
_HEADER_BYTES = HEADER.lower().encode()
_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{8,128}")
_RESPONSE_STARTS = {
    "http.response.start",
    "websocket.accept",
    "websocket.http.response.start",
}

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def get_request_id() -> str:
    """The id of the request being served, or "" outside of one."""
    return _request_id.get()


class RequestIDMiddleware:
    """Gives each request an id, and its response the `X-Request-ID` header.

    The client's own id is taken over if it is 8 to 128 of `A-Z a-z 0-9 . _ -`; any other value
    is dropped unseen, since it would end up in logs.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = _inbound_id(scope) or os.urandom(16).hex()

        async def send_with_id(message: Message) -> None:
            if message["type"] in _RESPONSE_STARTS:
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = _request_id.set(request_id)
        try:
            await self.app(scope, receive, send_with_id)
        except Exception as error:
            error.request_id = request_id  # type: ignore[attr-defined]  # for the server's log line
            raise
        finally:
            _request_id.reset(token)


def _inbound_id(scope: Scope) -> str | None:
    values = [value for name, value in scope["headers"] if name == _HEADER_BYTES]
    if len(values) == 1 and _SAFE_ID.fullmatch(values[0]):
        return str(values[0], "ascii")
    return None
