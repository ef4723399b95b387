"""The middleware that lets requests in, or refuses them."""

import hashlib
import math
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import ErrorCode, TradingException
from ..observability.addresses import client_address
from ..observability.metrics import count_request, known_method
from ..observability.request_log import is_event_stream, is_polled
from ..observability.route import UNMATCHED, own_path
from ..process.callers import Caller, caller_of, set_caller
from .admission import Admission
from .problems import problem_response
from .refusals import set_refusal

DEADLINE = "X-Request-Deadline"
_DEADLINE = DEADLINE.lower().encode()
_MILLISECONDS = re.compile(rb"[0-9]{1,15}")


class DoorMiddleware:
    """Refuses at once what can't be served, before anything is done for it.

    It stands outside of all that costs time for each request, and so of its log line; what is
    refused is counted as others are. `refusing` answers as `answer_refusal` does.
    """

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
        refusal = None
        if not caller.is_polling:
            refusal = self.admission.refusal_of(scope, caller)
            if refusal is None and self.admission.has_to_ask(caller):
                refusal = await self.admission.ask(caller)
        if refusal is None:
            set_caller(scope, caller)
            await self.app(scope, receive, send)
            return
        set_refusal(scope, refusal)
        await self.refusing(scope, receive, send)
        method, seconds = known_method(scope["method"]), time.perf_counter() - started
        count_request(method, UNMATCHED, refusal.status, seconds)


class AdmissionMiddleware:
    """Serves a request when `Admission` lets it in; what probes and scrapers ask for, always.

    `DoorMiddleware` stands outside of it. A client that sets `X-Request-Deadline`, in milliseconds
    since the epoch, wants nothing done for it after that time. Venues have the like, such as OKX's
    `expTime`.
    """

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self.app = app
        self.admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        caller = caller_of(scope)

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                caller.is_answered = True
                # It lasts, and others want to be served meanwhile.
                if is_event_stream(message.get("headers", ())):
                    self.admission.leave(caller)
            await send(message)

        try:
            if caller.deadline is not None and math.isnan(caller.deadline):
                raise TradingException(
                    ErrorCode.BAD_REQUEST, f"{DEADLINE} has to be in milliseconds since 1970"
                )
            if not caller.is_polling:
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
