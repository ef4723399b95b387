"""Tracebacks in the log: of errors that come in thousands, one a minute."""

import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

from structlog.typing import EventDict

SECONDS: Final = 60.0
"""For so long an error of the same kind, from the same place, has no traceback again."""

_MOST_KINDS = 200
_MOST_TEXT = 200

_Kind = tuple[object, ...]


class TracebackLimit:
    """A processor of structlog: leaves an error's traceback in a line, or says it in short.

    In an outage each request fails, and a traceback has kilobytes.
    """

    def __init__(self) -> None:
        self._told: OrderedDict[_Kind, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        info = event.get("exc_info")
        info = sys.exc_info() if info is True else info
        error = info[1] if isinstance(info, tuple) else info
        if not isinstance(error, BaseException):
            return event
        repeated = self._repeated((type(error), sqlstate_in(error), _place_of(error)))
        if repeated:
            del event["exc_info"]
            event["error"] = type(error).__name__
            event["reason"] = _text_of(error).partition("\n")[0][:_MOST_TEXT]
            event["repeated"] = repeated
            if sqlstate := sqlstate_in(error):
                event["sqlstate"] = sqlstate
        return event

    def _repeated(self, kind: _Kind) -> int:
        """Return how often the kind came since its traceback was told; 0 has it told now."""
        now = time.monotonic()
        with self._lock:
            told_at, times = self._told.get(kind, (float("-inf"), 0))
            if now - told_at < SECONDS:
                self._told[kind] = told_at, times + 1
                return times + 1
            self._told[kind] = now, 0
            self._told.move_to_end(kind)
            if len(self._told) > _MOST_KINDS:
                self._told.popitem(last=False)
            return 0


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an error's own text may raise
        return ""


def sqlstate_in(error: BaseException) -> str:
    """Return PostgreSQL's code of an error, or of what it was raised from; "" if it has none."""
    return next(
        (code for cause in _causes(error) if isinstance(code := _code(cause), str) and code), ""
    )


def _code(error: BaseException) -> object:
    return getattr(error, "sqlstate", None) or getattr(
        getattr(error, "orig", None), "sqlstate", None
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _place_of(error: BaseException) -> tuple[str, int] | None:
    """Return the line of code that has raised it."""
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    return (last.tb_frame.f_code.co_filename, last.tb_lineno) if last else None
