"""Structured logs, the standard library's loggers included."""

import json
import logging
import sys
from functools import partial
from typing import Any, TextIO
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor

from ..config import Settings
from ..errors.context import current_context
from ..errors.middleware import get_request_id, get_trace_id
from .redaction import Redactor, secrets_of


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Write every log line of the process to `stream` (standard error), as JSON or for people."""
    stream = stream or sys.stderr
    described: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_ids,
        _add_context,
    ]
    written: list[Processor] = [
        structlog.processors.format_exc_info,
        _Redact(settings),
        structlog.processors.JSONRenderer(serializer=_to_json)
        if settings.log_as_json
        else structlog.dev.ConsoleRenderer(colors=stream.isatty()),
    ]
    level = logging.getLevelNamesMapping()[settings.log.level]
    # structlog's own lines take the short way; those of the standard library's loggers, which
    # other libraries use, end in the same processors.
    structlog.configure(
        processors=[*described, *written],
        logger_factory=partial(_Logger, stream),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,  # a logger of a module would keep its first stream
    )
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


_encode = json.JSONEncoder(default=str).encode


def _to_json(event: EventDict, **_options: Any) -> str:
    return _encode(event)  # json.dumps would make an encoder for each line


class _Logger(structlog.WriteLogger):
    """Writes lines, and knows its name."""

    def __init__(self, stream: TextIO, name: str = "") -> None:
        super().__init__(stream)
        self.name = name


def _add_ids(_logger: Any, _method: str, event: EventDict) -> EventDict:
    request_id = get_request_id()
    if not request_id:  # the server logs an error after the request has ended
        error = event.get("exc_info")
        error = error[1] if isinstance(error, tuple) else error
        request_id = getattr(error, "request_id", "")
    if request_id:
        event["request_id"] = request_id
    if trace_id := get_trace_id():
        event["trace_id"] = trace_id
    return event


def _add_context(_logger: Any, _method: str, event: EventDict) -> EventDict:
    context = {**current_context(), **event.get("context", {})}
    if context:
        event["context"] = context
    else:
        event.pop("context", None)
    return event


class _Redact:
    """The one place where secrets are masked: the last before a line is written."""

    def __init__(self, settings: Settings) -> None:
        self._redactor = Redactor(secrets_of(settings) + _passwords_in_urls(settings))

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {
            name: value if name in _OURS else self._redactor.value(name, value)
            for name, value in event.items()
        }


_OURS = frozenset({"level", "logger", "timestamp", "request_id", "trace_id"})


def _passwords_in_urls(settings: Settings) -> list[str]:
    urls = [secret for secret in secrets_of(settings) if "://" in secret]
    quoted = [password for url in urls if (password := urlsplit(url).password)]
    return quoted + [unquote(password) for password in quoted]
