"""The answers to requests that are refused at the door: cheap, since there may be very many."""

import math
import random
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import structlog
from starlette.types import Receive, Scope, Send

from ..errors import ErrorCode, TradingException
from ..errors.middleware import get_request_id
from .problems import problem_response

_log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_LINES = 1.0
_REFUSAL = "refusal"


class Refusal(NamedTuple):
    """Reason of a refusal, and the seconds after which the request may come back."""

    reason: str
    retry_after: int

    @property
    def status(self) -> int:
        """Return the status of its answer."""
        return _REASONS[self.reason][0].status

    def as_exception(self) -> TradingException:
        """Return the same for who raises it."""
        code, text = _REASONS[self.reason]
        headers = {"Retry-After": str(self.retry_after)}
        return TradingException(code, text, _details(self.reason), headers)


def refusal(reason: str, seconds: float = 0) -> Refusal:
    """Return a refusal that tells to come back in so many seconds: not all at the same time."""
    return Refusal(reason, math.ceil(seconds) + random.randint(1, 3))  # noqa: S311


_REASONS = {
    "overload": (ErrorCode.OVERLOADED, "Too many requests are being served; nothing was done"),
    "account": (ErrorCode.RATE_LIMITED, "Too many requests of this account are being served"),
    "key": (ErrorCode.RATE_LIMITED, "This API key sends too many requests"),
    "client": (ErrorCode.RATE_LIMITED, "This address sends too many requests"),
    "unknown_keys": (ErrorCode.RATE_LIMITED, "This address has sent too many unknown API keys"),
}


def _details(reason: str) -> dict[str, Any]:
    return {} if reason == "overload" else {"reason": reason}


def _problem(reason: str) -> dict[str, Any]:
    """Return the `Problem` of a reason without what is a request's own."""
    code, text = _REASONS[reason]
    return {
        "type": f"urn:problem:{code.lower().replace('_', '-')}",
        "title": code.summary,
        "status": code.status,
        "detail": text,
        "instance": "",
        "code": str(code),
        "request_id": "",
        "timestamp": "",
        "details": _details(reason),
    }


_PROBLEMS = {reason: _problem(reason) for reason in _REASONS}


def set_refusal(scope: Scope, refusal: Refusal | TradingException) -> None:
    """Have `answer_refusal` answer that."""
    scope[_REFUSAL] = refusal


async def answer_refusal(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the refusal of the request, as an ASGI application that reads no body.

    The connection stays open: the client would only open another one, which costs more.
    """
    refusal = scope.pop(_REFUSAL)  # an exception holds the frames that hold the scope
    if isinstance(refusal, TradingException):
        answer = problem_response(
            scope["path"],
            refusal.code,
            refusal.message,
            details=refusal.details,
            headers=refusal.headers,
        )
        await answer(scope, receive, send)
        return
    reason, retry_after = refusal
    problem = {
        **_PROBLEMS[reason],
        "instance": scope["path"],
        "request_id": get_request_id(),
        "timestamp": datetime.now(UTC),
    }
    body = orjson.dumps(problem, option=orjson.OPT_UTC_Z)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % retry_after),
    ]
    status = problem["status"]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class RefusalLog:
    """Logs refusals: for each reason one line a second at most, which says how many there were."""

    def __init__(self) -> None:
        self._untold: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}

    def note(self, reason: str, client: str, account: UUID | None) -> None:
        """Count the refusal of the current request. A line has whose the last one was."""
        self._untold[reason] += 1
        if time.monotonic() - self._told_at.get(reason, -math.inf) < _SECONDS_BETWEEN_LINES:
            return
        if account is None:
            self._tell(reason, client=client)
        else:
            self._tell(reason, client=client, account_id=str(account))

    def tell_the_rest(self) -> None:
        """Log what was counted and not told yet."""
        for reason in list(self._untold):
            self._tell(reason)

    def _tell(self, reason: str, **fields: str) -> None:
        self._told_at[reason] = time.monotonic()
        times = self._untold.pop(reason)
        _log.warning("requests refused", reason=reason, times=times, **fields)
