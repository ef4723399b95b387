"""Routes that refuse unknown query parameters, and whose handlers run again after a conflict."""

from collections.abc import Iterable
from itertools import count
from typing import Any

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.requests import Request
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send

from ..database.transactions.retry import (
    RepeatableWork,
    RetryableTransactionError,
    before_next_attempt,
    given_up,
)
from .parameters import refuse_others

_log = structlog.get_logger(__name__)

_MAX_KEPT_BODY = 1_048_576  # bytes


class ServiceRoute(APIRoute):
    """A route that answers HEAD like GET, and refuses a query parameter that it does not know.

    It runs its handler again when a `transactional(..., retry_on_deadlock=True)` in it conflicts.

    Everything of the failed attempt has ended by then, its dependencies included: the next one
    has a session of its own and reads the request's body from the start.

    What can't run again ends as RetryableTransactionError, which answers 503 with Retry-After:
    after the last attempt, after a body of more than 1 MiB, and after another transaction of the
    same request was committed. A response that has begun is broken off.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(self._as_get(scope))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = self._as_get(scope)
        if scope["query_string"]:
            # Where a router was included, the route has that router's dependencies too.
            route = scope.get("fastapi", {}).get("effective_route_context") or self
            refuse_others(route.dependant)
        body = _Body(receive)
        for attempt in count(1):
            work = RepeatableWork()
            reply = _Reply(send)
            try:
                with work:
                    await super().handle(scope, body.receive, reply.send)
                return
            except (RetryableTransactionError, RuntimeError) as error:
                conflict = _conflict_of(error)
                if conflict is None or reply.has_begun:
                    raise
                if conflict.final:
                    raise conflict from conflict.__cause__
                if reason := _why_not_again(work, body):
                    _log.error("request not replayed", reason=reason)
                    raise given_up(conflict, attempt) from conflict.__cause__
            await before_next_attempt(conflict, attempt)
            body.rewind()

    def _as_get(self, scope: Scope) -> Scope:
        """Return the scope, a copy where it is of HEAD: the server leaves the body out by its own.

        A method that the route had beside GET would be an operation of the documentation.
        """
        methods = self.methods or ()
        if scope.get("method") == "HEAD" and "GET" in methods and "HEAD" not in methods:
            return {**scope, "method": "GET"}
        return scope


class ServiceRouter(APIRouter):
    """An APIRouter whose routes are `ServiceRoute`s."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("route_class", ServiceRoute)
        super().__init__(*args, **options)


_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def allowed_methods(request: Request) -> list[str]:
    """Return the methods that some route answers at the path of the request.

    Starlette names those of one route only.
    """
    plain = {name: request.scope[name] for name in _OF_MATCHING if name in request.scope}
    routes = request.app.routes

    def is_answered(method: str) -> bool:
        return any(route.matches({**plain, "method": method})[0] is Match.FULL for route in routes)

    return [*filter(is_answered, _METHODS), "OPTIONS"]


_OF_MATCHING = ("type", "path", "raw_path", "root_path", "headers", "app", "server", "scheme")


def is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Tell whether a response is a stream of events: it has no end, and may begin with none."""
    for name, value in headers:  # `any` would cost three times as much
        if name == b"content-type" and value.startswith(b"text/event-stream"):
            return True
    return False


def ask_last(routes: list[BaseRoute], ours: list[BaseRoute]) -> None:
    """Move core's own routes behind the service's, which are asked for far more often.

    Raises ValueError if a route of the service answers a path of core's.
    """
    routes[:] = [route for route in routes if route not in ours]
    for path in {context.path for context in iter_route_contexts(ours)}:
        scope: Scope = {"type": "http", "method": "GET", "path": path, "headers": []}
        for route in routes:
            if route.matches(scope)[0] is not Match.NONE:
                raise ValueError(f"{path} is core's; a route of the service would hide it")
    routes += ours


def _conflict_of(error: Exception) -> RetryableTransactionError | None:
    if isinstance(error, RetryableTransactionError):
        return error
    # Starlette's word for an error after the start of the response, which we still hold back.
    cause = error.__cause__
    return cause if isinstance(cause, RetryableTransactionError) else None


def _why_not_again(work: RepeatableWork, body: "_Body") -> str | None:
    if work.has_committed:
        return "another transaction of this request is committed"
    if not body.is_kept:
        return "its body is too long to be kept"
    return None


class _Body:
    """The body that the client has sent, kept so that it can be received again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._next = 0
        self._size = 0
        self.is_kept = True

    async def receive(self) -> Message:
        if self._next < len(self._messages):
            message = self._messages[self._next]
        else:
            message = await self._receive()
            self._keep(message)
        self._next += 1
        return message

    def rewind(self) -> None:
        self._next = 0

    def _keep(self, message: Message) -> None:
        if message["type"] != "http.request" or not self.is_kept:
            return
        self._size += len(message.get("body", b""))
        self._messages.append(message)
        if self._size > _MAX_KEPT_BODY:
            self.is_kept = False
            self._messages.clear()


class _Reply:
    """Holds the start of the response back until its first bytes: up to then it can be undone."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self.has_begun = False

    async def send(self, message: Message) -> None:
        is_start = message["type"] == "http.response.start"
        # The client of a stream waits for the start alone: the first event may come much later.
        if is_start and not is_event_stream(message["headers"]):
            self._start = message
            return
        self.has_begun = True
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)
        await self._send(message)
