"""Structured logs, the standard library's loggers included."""

import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from ..config import Settings
from ..errors.middleware import get_request_id


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Write every log line of the process to `stream` (standard error), as JSON or for people."""
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_request_id,
    ]
    if settings.log_as_json:
        renderer: list[Processor] = [
            structlog.processors.format_exc_info,
            _redact,
            structlog.processors.JSONRenderer(default=str),
        ]
    else:
        renderer = [
            structlog.processors.format_exc_info,
            _redact,
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
    logging.getLogger("httpx").setLevel(logging.WARNING)  # logs every URL, tokens in them included


def _add_request_id(_logger: Any, _method: str, event: EventDict) -> EventDict:
    request_id = get_request_id()
    if not request_id:  # the server logs an error after the request has ended
        error = event.get("exc_info")
        error = error[1] if isinstance(error, tuple) else error
        request_id = getattr(error, "request_id", "")
    if request_id:
        event["request_id"] = request_id
    return event


_SECRET_KEYS = re.compile(
    r"password|passphrase|secret|token|api_?key|authorization|cookie", re.IGNORECASE
)
_SECRET_TEXTS = [
    (re.compile(r"(\w+://[^\s:/@]*):[^\s/]+@"), r"\1:***@"),  # a password in a URL
    (re.compile(r"(bearer\s+)\S+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(/bot)\d+:[\w-]+"), r"\1***"),  # a Telegram URL
]


def _redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {key: _redacted(key, value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:
    if _SECRET_KEYS.search(key):
        return "***"
    if isinstance(value, str):
        for pattern, replacement in _SECRET_TEXTS:
            value = pattern.sub(replacement, value)
    elif isinstance(value, dict):
        return {k: _redacted(str(k), v) for k, v in value.items()}
    elif isinstance(value, list | tuple):
        return [_redacted(key, item) for item in value]
    return value
