"""Routes whose handlers run again after a conflict in the database."""

from itertools import count
from typing import Any

import structlog
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

from ..database.transactions.retry import (
    RepeatableWork,
    RetryableTransactionError,
    before_next_attempt,
    given_up,
)

_log = structlog.get_logger(__name__)

_MAX_KEPT_BODY = 1_048_576  # bytes


class ReplayedRoute(APIRoute):
    """Runs its handler again when a `transactional(..., retry_on_deadlock=True)` in it conflicts.

    Everything of the failed attempt has ended by then, its dependencies included: the next one
    has a session of its own and reads the request's body from the start.

    What can't run again ends as RetryableTransactionError, which answers 503 with Retry-After:
    after the last attempt, after a body of more than 1 MiB, and after another transaction of the
    same request was committed. A response that has begun is broken off.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
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


class ServiceRouter(APIRouter):
    """An APIRouter whose handlers run again after a conflict; see `ReplayedRoute`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("route_class", ReplayedRoute)
        super().__init__(*args, **options)


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
    """What the client has sent, kept so that it can be received again."""

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
        if message["type"] == "http.response.start" and not _is_event_stream(message):
            self._start = message
            return
        self.has_begun = True
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)
        await self._send(message)


def _is_event_stream(start: Message) -> bool:
    """Whether the client waits for the start alone; the first event may come much later."""
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start["headers"]
    )
