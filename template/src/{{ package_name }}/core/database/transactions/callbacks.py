"""Callbacks, which run once a transaction is committed, and only then."""

import inspect
from collections.abc import Callable
from typing import TypeAlias

import structlog

_log = structlog.get_logger(__name__)

Callback: TypeAlias = Callable[[], object]


async def run_callbacks(callbacks: list[Callback]) -> None:
    """Run the callbacks in order. An error is logged: the commit is done, and the rest follows."""
    for callback in callbacks:
        try:
            result = callback()
            if inspect.isawaitable(result):
                await result
        except Exception:
            _log.exception("after_commit callback failed", callback=repr(callback))
