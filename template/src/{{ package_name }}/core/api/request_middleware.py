"""The middleware that each request passes: it lets it in or refuses it, logs it and counts it."""

import hashlib
import math
import re
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ErrorCode, TradingException
from ..observability.addresses import client_address
from ..observability.logging import log_request
from ..observability.metrics import IN_PROGRESS, count_request, known_method
from ..observability.route import UNMATCHED, is_polled, own_path, route_template
from ..process.callers import Caller, set_caller
from .admission import Admission
from .refusals import Refusal, set_refusal
from .routing import is_event_stream

DEADLINE: Final = "X-Request-Deadline"
_DEADLINE = DEADLINE.lower().encode()
_MILLISECONDS = re.compile(rb"[0-9]{1,15}")


class RequestMiddleware:
    """Serves a request when `Admission` lets it in; what probes and scrapers ask for, always.

    What can't be served is refused before anything else is done for it, and has no line of its own
    in the log. `refusing` answers as `answer_refusal` does. All others are logged and counted after
    their last byte; what is polled is not logged.

    An error whose response was sent ends here: it has been logged with the request's id, and the
    server would only log it again. A response that broke off is raised, for the server to cut
    the connection, so that the client does not take it for complete. A stream of events has no
    end: it is complete when its client leaves, and what is counted of it is how soon it began.

    A client that sets `X-Request-Deadline`, in milliseconds since the epoch, wants nothing done for
    it after that time. Venues have the like, such as OKX's `expTime`.
    """

    # One for all of it, since every request pays for each layer: a call, and a wrapper of `send`.

    def __init__(self, app: ASGIApp, refusing: ASGIApp, admission: Admission) -> None:
        self.app = app
        self.refusing = refusing
        self.admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        caller = _caller_of(scope, receive)
        if not caller.is_polling and (refusal := await self._refusal_of(scope, caller)):
            set_refusal(scope, refusal)
            await self.refusing(scope, receive, send)
            seconds = time.perf_counter() - started
            count_request(known_method(scope["method"]), UNMATCHED, refusal.status, seconds)
            return
        set_caller(scope, caller)
        response = _Response(send, caller, self.admission)
        is_left = False
        IN_PROGRESS.inc()
        try:
            await self._serve(scope, caller, response.send)
            is_left = response.is_stream and not response.is_complete
        except Exception:
            if not response.is_complete:
                raise
        finally:
            IN_PROGRESS.dec()
            self.admission.leave(caller)
            _note(scope, caller, response, started, is_left=is_left)

    async def _refusal_of(self, scope: Scope, caller: Caller) -> Refusal | None:
        refusal = self.admission.refusal_of(scope, caller)
        if refusal is None and self.admission.has_to_ask(caller):
            refusal = await self.admission.ask(scope, caller)
        return refusal

    async def _serve(self, scope: Scope, caller: Caller, send: Send) -> None:
        try:
            if caller.deadline is not None and math.isnan(caller.deadline):
                raise TradingException(
                    ErrorCode.BAD_REQUEST, f"{DEADLINE} has to be in milliseconds since 1970"
                )
            if not caller.is_polling:
                await self.admission.admit(scope, caller)
        except TradingException as refusal:
            set_refusal(scope, refusal)
            await self.refusing(scope, caller.receive, send)
        else:
            await self.app(scope, caller.receive, send)


class _Response:
    """The response to a request, as far as it is sent."""

    __slots__ = (
        "_admission",
        "_caller",
        "_send",
        "began",
        "is_complete",
        "is_stream",
        "size",
        "status",
    )

    def __init__(self, send: Send, caller: Caller, admission: Admission) -> None:
        self._send = send
        self._caller = caller
        self._admission = admission
        self.status = 0
        """0 before it has begun."""
        self.began = 0.0
        self.size = 0
        """Bytes of its body."""
        self.is_stream = False
        """Set if it is a stream of events."""
        self.is_complete = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._caller.is_answered = True
            is_stream = is_event_stream(message.get("headers", ()))
            if is_stream:
                self._admission.leave(self._caller)  # it lasts, and others want to be served
            await self._send(message)
            self.is_stream = is_stream
            self.status = message["status"]
            self.began = time.perf_counter()
        else:
            await self._send(message)
            if kind == "http.response.body":
                self.size += len(message.get("body", b""))
                self.is_complete = not message.get("more_body", False)


def _note(
    scope: Scope, caller: Caller, response: _Response, started: float, *, is_left: bool
) -> None:
    """Count the request, and log it."""
    seconds = time.perf_counter() - started
    method, route = known_method(scope["method"]), route_template(scope)
    counted = response.began - started if is_left else seconds
    count_request(method, route, response.status, counted)
    if caller.is_polling:
        return
    is_whole = response.is_complete or is_left
    state = scope.get("state", {})
    log_request(
        "request" if is_whole else "request broken off",
        is_error=response.status >= 500 or not is_whole,
        method=method,
        route=route,
        status=response.status,
        duration_ms=round(seconds * 1000, 2),
        size=response.size,
        client=caller.address,
        key_id=state.get("key_id"),
        account_id=state.get("account_id"),
    )


def _caller_of(scope: Scope, receive: Receive) -> Caller:
    key = b""
    deadline: float | None = None
    for name, value in scope["headers"]:
        if name == b"authorization":
            key = value
        elif name == _DEADLINE and value:
            deadline = int(value) / 1000 if _MILLISECONDS.fullmatch(value) else math.nan
    caller = Caller(
        receive, client_address(scope), hashlib.sha256(key).digest() if key else b"", deadline
    )
    caller.is_polling = is_polled(own_path(scope))
    return caller
