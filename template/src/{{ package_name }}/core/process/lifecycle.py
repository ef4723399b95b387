"""The life of the process, from its start to its last request."""

import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..config import Settings
from .drain import Drain
from .in_flight import RequestsInFlight
from .warm_up import WarmUp


class Lifecycle:
    """The time in which requests should come here: after the warm-up, before the drain."""

    def __init__(self, settings: Settings) -> None:
        self._started = time.monotonic()
        self.warm_up = WarmUp()
        self.requests = RequestsInFlight()
        self.drain = Drain(settings)

    @property
    def uptime(self) -> float:
        """Seconds since the start, whatever was done to the clock on the wall."""
        return time.monotonic() - self._started

    @property
    def is_warm(self) -> bool:
        """Tell whether the pool has opened its connections."""
        return self.warm_up.is_done

    @property
    def is_draining(self) -> bool:
        """Tell whether the process is about to end."""
        return self.drain.has_begun


class LifecycleMiddleware:
    """Counts the requests in flight. While draining, tells clients to come back elsewhere."""

    def __init__(self, app: ASGIApp, lifecycle: Lifecycle) -> None:
        self.app = app
        self.lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        drain, requests = self.lifecycle.drain, self.lifecycle.requests
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return

        def send_and_close(message: Message) -> Awaitable[None]:
            # A client would go on using a connection that is about to be closed.
            if (
                drain.has_begun
                and message["type"] == "http.response.start"
                and scope["http_version"].startswith("1")
            ):
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            return send(message)

        requests.begin()
        try:
            await self.app(scope, receive, send_and_close)
        finally:
            requests.end()
