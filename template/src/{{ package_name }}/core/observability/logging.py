"""Structured logs, the standard library's loggers included."""

import json
import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ..config import Settings
from ..errors.context import current_context
from ..errors.middleware import get_ids
from .redaction import redactor_of


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
    written: list[Processor] = [
        _add_exception,
        _Redact(settings),
        structlog.processors.JSONRenderer(serializer=_to_json)
        if settings.log_as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty()),
    ]
    # structlog's own lines take the short way; those of the standard library's loggers, which
    # other libraries use, end in the same processors.
    structlog.configure(
        processors=_PROCESSORS,
        logger_factory=LineLogger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    # In place: a module's logger keeps what it was made with.
    _PROCESSORS[:] = [*described, *written]
    LineLogger.stream, LineLogger.level = stream, level
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
    logging.getLogger("uvicorn.error").addFilter(_is_no_refused_websocket)
    sql_level = logging.INFO if settings.debug else logging.WARNING
    logging.getLogger("sqlalchemy.engine").setLevel(sql_level)


def _is_no_refused_websocket(record: logging.LogRecord) -> bool:
    # uvicorn says so, as an error, of every websocket that is refused with a response.
    return record.msg != "ASGI callable returned without completing handshake."


_PROCESSORS: list[Processor] = []
_METHODS = {logging.INFO: "info", logging.ERROR: "error"}


class LineLogger:
    """What structlog writes with: it knows its name, and where all of them write."""

    stream: ClassVar[TextIO] = sys.stderr
    level: ClassVar[int] = logging.INFO

    def __init__(self, name: str = "") -> None:
        self.name = name

    def line(self, level: int, event: EventDict) -> None:
        """Log a line at a third less cost than through structlog's front: for each request."""
        if level >= self.level:
            method = _METHODS[level]
            line: Any = event
            for processor in _PROCESSORS:
                line = processor(self, method, line)
            self.msg(line)

    def msg(self, line: str) -> None:
        # A full disk or a closed pipe must not fail the request that is logged.
        with suppress(OSError, ValueError):
            self.stream.write(f"{line}\n")
            self.stream.flush()

    debug = info = warning = error = critical = fatal = log = msg


def _add_timestamp(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat()
    return event


def _add_ids(_logger: Any, _method: str, event: EventDict) -> EventDict:
    request_id, trace_id = get_ids()
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
    """The one place where secrets are masked: the last before a line is written."""

    def __init__(self, settings: Settings) -> None:
        self._redactor = redactor_of(settings)

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        for name, value in event.items():
            if name not in _OURS:
                event[name] = self._redactor.value(name, value)
        return event


_OURS = frozenset({"level", "logger", "timestamp", "request_id", "trace_id"})


_encode = json.JSONEncoder(default=str, allow_nan=False).encode


def _to_json(event: EventDict, **_options: Any) -> str:
    try:
        return _encode(event)  # json.dumps would make an encoder for each line
    except ValueError:  # NaN or Infinity, which JSON has no word for
        return _encode({name: str(value) for name, value in event.items()})
