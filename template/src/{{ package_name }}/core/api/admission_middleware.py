"""The middleware that lets requests in, or refuses them."""

import hashlib
import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ErrorCode, TradingException
from ..observability.addresses import client_address
from ..observability.request_log import is_polled
from ..observability.route import own_path
from ..process.callers import Caller, set_caller
from .admission import Admission
from .problems import problem_response

DEADLINE = "X-Request-Deadline"
_DEADLINE = DEADLINE.lower().encode()
_MILLISECONDS = re.compile(rb"[0-9]{1,15}")


class AdmissionMiddleware:
    """Serves a request when `Admission` lets it in; what probes and scrapers ask for, always.

    A client that sets `X-Request-Deadline`, in milliseconds since the epoch, wants nothing done
    for it after that time. Venues have the like, such as OKX's `expTime`.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self.app = app
        self.admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        key = deadline = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                key = value
            elif name == _DEADLINE:
                deadline = value
        caller = Caller(
            receive,
            client_address(scope),
            hashlib.sha256(key).digest() if key else b"",
            int(deadline) / 1000 if _MILLISECONDS.fullmatch(deadline) else None,
        )
        set_caller(scope, caller)

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                caller.is_answered = True
                if _is_event_stream(message):  # it lasts, and others want to be served meanwhile
                    self.admission.leave(caller)
            await send(message)

        try:
            if deadline and caller.deadline is None:
                raise TradingException(
                    ErrorCode.BAD_REQUEST, f"{DEADLINE} has to be in milliseconds since 1970"
                )
            if not is_polled(own_path(scope)):
                await self.admission.admit(scope, caller)
        except TradingException as refusal:
            answer = problem_response(
                scope["path"],
                refusal.code,
                refusal.message,
                details=refusal.details,
                headers=refusal.headers,
            )
            await answer(scope, receive, send)
        else:
            await self.app(scope, caller.receive, send_and_note)
        finally:
            self.admission.leave(caller)


def _is_event_stream(start: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start.get("headers", ())
    )
