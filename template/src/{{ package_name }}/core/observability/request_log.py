"""The middleware that logs and counts each request."""

import time
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .addresses import client_address
from .logging import log_request
from .metrics import IN_PROGRESS, count_request, known_method
from .route import own_path, route_template

_POLLED = ("/health/", "/metrics/", "/status/data/")


def is_polled(path: str) -> bool:
    """Tell whether machines ask for the path all the time, so that it would fill the logs."""
    return f"{path}/".startswith(_POLLED)


def is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether a response is a stream of events: it has no end, and may begin with none."""
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in headers
    )


class RequestLogMiddleware:
    """Logs and counts a request after its last byte; what is polled is not logged.

    An error whose response was sent ends here: it has been logged with the request's id, and the
    server would only log it again. A response that broke off is raised, for the server to cut
    the connection, so that the client does not take it for complete. A stream of events has no
    end: it is complete when its client leaves, and what is counted of it is how soon it began.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = size = 0
        headers: list[tuple[bytes, bytes]] = []
        is_complete = is_left = False
        started = began = time.perf_counter()

        async def send_and_note(message: Message) -> None:
            nonlocal status, headers, began, size, is_complete
            await send(message)
            if message["type"] == "http.response.body":
                size += len(message.get("body", b""))
                is_complete = not message.get("more_body", False)
            elif message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
                began = time.perf_counter()

        IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, send_and_note)
            is_left = not is_complete and is_event_stream(headers)
        except Exception:
            if not is_complete:
                raise
        finally:
            IN_PROGRESS.dec()
            seconds = time.perf_counter() - started
            method, route = known_method(scope["method"]), route_template(scope)
            count_request(method, route, status, began - started if is_left else seconds)
            if not is_polled(own_path(scope)):
                state = scope.get("state", {})
                log_request(
                    "request" if is_complete or is_left else "request broken off",
                    is_error=status >= 500 or not (is_complete or is_left),
                    method=method,
                    route=route,
                    status=status,
                    duration_ms=round(seconds * 1000, 2),
                    size=size,
                    client=client_address(scope),
                    key_id=state.get("key_id"),
                    account_id=state.get("account_id"),
                )
