"""Structured logs, the standard library's loggers included."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from uuid import UUID

import orjson
import structlog
from structlog.typing import EventDict, Processor

from ..config import Settings
from ..errors.context import current_context
from ..errors.middleware import get_request
from .redaction import redactor_of
from .tracebacks import TracebackLimit


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Write every log line of the process to `stream` (standard error), as JSON or for people."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.log.level]
    described: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        _add_timestamp,
        _add_ids,
        _add_context,
    ]
    render = _to_json if settings.log_as_json else _for_people(stream.isatty())
    written: list[Processor] = [
        TracebackLimit(),
        _add_exception,
        _Redact(settings),
        lambda _logger, _method, event: render(event).decode(),
    ]
    # Lines of the standard library's loggers, which other libraries use, end in the same processors
    # as structlog's own.
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=LineLogger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    _PROCESSORS[:] = [*described, *written]
    _output.change(stream, level, render)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=described,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *written],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # they bring their own handlers
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # ours has the route and the request id
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    sql_level = logging.INFO if settings.debug else logging.WARNING
    logging.getLogger("sqlalchemy.engine").setLevel(sql_level)


def _is_news(record: logging.LogRecord) -> bool:
    return record.msg not in _SAID_BETTER


# uvicorn says so, as an error, of every websocket that is refused with a response; and, without an
# id, of each request that core/process/connections.py refuses.
_SAID_BETTER = {
    "ASGI callable returned without completing handshake.",
    "Invalid HTTP request received.",
}


# A module's logger keeps this list, and what it writes with, from its first line on: so both are
# changed in place.
_PROCESSORS: list[Processor] = []


class _Output:
    """The output of the process's log: where lines go, how they look, and from which level on."""

    def __init__(self, stream: TextIO, level: int, render: Callable[[EventDict], bytes]) -> None:
        self.change(stream, level, render)

    def change(self, stream: TextIO, level: int, render: Callable[[EventDict], bytes]) -> None:
        self.level = level
        self.render = render
        self._put = _writer(stream)

    def write(self, line: bytes) -> None:
        # A full disk or a closed pipe must not fail the request that is logged.
        try:
            self._put(line + b"\n")
        except (OSError, ValueError):
            return


class LineLogger:
    """Writes structlog's lines, and knows its name."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _output.write(line.encode(errors="backslashreplace"))

    debug = info = warning = error = critical = fatal = log = msg


def log_request(
    event: Literal["request", "request broken off"],
    *,
    is_error: bool,
    method: str,
    route: str,
    status: int,
    duration_ms: float,
    size: int,
    client: str,
    key_id: UUID | None,
    account_id: UUID | None,
) -> None:
    """Log the line of a request, past structlog and redaction: every request pays for it.

    `method` is one of HTTP's and `route` a template, both from a list of ours, `client` is an
    address, and the ids are UUIDs. So no value can hold a secret, and it takes no others.
    """
    if (logging.ERROR if is_error else logging.INFO) < _output.level:
        return
    request = get_request()
    line: EventDict = {
        "event": event,
        "method": method,
        "route": route,
        "status": status,
        "duration_ms": duration_ms,
        "bytes": size,
        "client": client,
        "level": "error" if is_error else "info",
        "logger": "access",
        "timestamp": datetime.now(UTC),
        "request_id": request.request_id,
    }
    if request.trace_id:
        line["trace_id"] = request.trace_id
    if key_id is not None:
        line["key_id"], line["account_id"] = key_id, account_id
    _output.write(_output.render(line))


def _writer(stream: TextIO) -> Callable[[bytes], None]:
    """Return what writes to the stream at once: where it can, to its bytes, at half the cost."""
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        return lambda line: print(line.decode(), end="", file=stream, flush=True)

    def write(line: bytes) -> None:
        buffer.write(line)
        buffer.flush()

    return write


def _add_timestamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat()
    return event


def _add_ids(_logger: Any, _method: str, event: EventDict) -> EventDict:
    request = get_request()
    request_id, trace_id = request.request_id, request.trace_id
    if not request_id:  # the server logs an error after the request has ended
        error = event.get("exc_info")
        error = error[1] if isinstance(error, tuple) else error
        request_id = getattr(error, "request_id", "")
    if request_id:
        event["request_id"] = request_id
    if trace_id:
        event["trace_id"] = trace_id
    return event


def _add_context(_logger: Any, _method: str, event: EventDict) -> EventDict:
    context = current_context()
    own = event.pop("context", None)
    if context or own:
        event["context"] = {**context, **(own or {})}
    return event


def _add_exception(logger: Any, method: str, event: EventDict) -> EventDict:
    return (
        structlog.processors.format_exc_info(logger, method, event)
        if "exc_info" in event
        else event
    )


class _Redact:
    """Masks secrets in a line, right before it is written; nothing else does."""

    def __init__(self, settings: Settings) -> None:
        self._redactor = redactor_of(settings)

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            if name not in _NEVER_SECRET:
                event[name] = self._redactor.value(name, value)
        return event


# Made by us, or, as the ids, of a form that is checked where they come in.
_NEVER_SECRET = frozenset({"level", "logger", "timestamp", "request_id", "trace_id"})


def _to_json(event: EventDict) -> bytes:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:  # an integer of more than 64 bits, or half of a surrogate pair
        return json.dumps({name: str(value) for name, value in event.items()}).encode()


def _for_people(colors: bool) -> Callable[[EventDict], bytes]:
    to_text = structlog.dev.ConsoleRenderer(colors=colors)

    def render(event: EventDict) -> bytes:
        for name, value in event.items():
            if isinstance(value, datetime | UUID):
                event[name] = value.isoformat() if isinstance(value, datetime) else str(value)
        return to_text(None, "", event).encode(errors="backslashreplace")

    return render


_output = _Output(sys.stderr, logging.INFO, _to_json)  # until `configure_logging` is called
