"""One log line a request."""

import logging
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .route import route_template

_log = structlog.get_logger("access")
_QUIET = ("/health", "/metrics")


class AccessLogMiddleware:
    """Logs a request after its last byte; health probes and metrics are not logged.

    An error whose response was sent ends here: it has been logged with the request's id, and the
    server would only log it again. A response that broke off is raised, for the server to cut
    the connection, so that the client does not take it for complete.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        responder = _Responder(send)
        started = time.perf_counter()
        try:
            await self.app(scope, receive, responder.send)
        except Exception:
            if not responder.is_complete:
                raise
        finally:
            if not scope["path"].startswith(_QUIET):
                responder.log(scope, time.perf_counter() - started)


class _Responder:
    """Passes a response on, and remembers what is logged of it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self.size = 0
        self.is_complete = False

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            self.is_complete = not message.get("more_body", False)

    def log(self, scope: Scope, seconds: float) -> None:
        is_bad = self.status >= 500 or not self.is_complete
        client = scope.get("client")
        _log.log(
            logging.ERROR if is_bad else logging.INFO,
            "request" if self.is_complete else "request broken off",
            method=scope["method"],
            route=route_template(scope),
            status=self.status,
            duration_ms=round(seconds * 1000, 2),
            bytes=self.size,
            client=client[0] if client else "",
        )
