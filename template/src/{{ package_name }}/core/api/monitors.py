"""What the health endpoints and the status page ask the pool monitors."""

from collections.abc import Callable
from typing import TypeVar

import structlog

_log = structlog.get_logger(__name__)

T = TypeVar("T")


def safely(what: str, get: Callable[[], T], otherwise: T) -> T:
    """What a monitor says; a fault in it must not look like one of the service."""
    try:
        return get()
    except Exception as error:
        _log.error("pool monitor broken", asked_for=what, exc_info=error)
        return otherwise
