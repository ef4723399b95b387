"""Structured logs, the standard library's loggers included."""

import logging
import sys
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
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_ids,
        _add_context,
    ]
    if settings.log_as_json:
        renderer: list[Processor] = [
            structlog.processors.format_exc_info,
            _Redact(settings),
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        renderer = [
            structlog.processors.format_exc_info,
            _Redact(settings),
            structlog.dev.ConsoleRenderer(colors=stream.isatty()),
        ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log.level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):  # they bring their own handlers
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # ours has the route and the request id


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
        return {name: self._redactor.value(name, value) for name, value in event.items()}


def _passwords_in_urls(settings: Settings) -> list[str]:
    urls = [secret for secret in secrets_of(settings) if "://" in secret]
    quoted = [password for url in urls if (password := urlsplit(url).password)]
    return quoted + [unquote(password) for password in quoted]
