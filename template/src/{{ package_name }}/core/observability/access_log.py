"""One log line a request."""

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
        status = 0
        complete = False
        started = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status, complete
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                complete = not message.get("more_body", False)

        try:
            await self.app(scope, receive, send_and_note)
        except Exception:
            if not complete:
                raise
        finally:
            if not scope["path"].startswith(_QUIET):
                _log.log(
                    40 if status >= 500 or not complete else 20,
                    "request" if complete else "request broken off",
                    method=scope["method"],
                    route=route_template(scope),
                    status=status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 2),
                )
