"""Places in the service's own code: where a connection is taken, and where its task waits.

This is what the `file:line` of a leak comes from, at every taking of a connection; so it has to be
cheap. It walks the frames of the callers, up to the nearest that is neither a library's nor
`core`'s. A greenlet and a coroutine each have frames of their own, so there is more than one
chain to walk. No public interface of Python or SQLAlchemy tells this: tests/core/pools pins it.

A place is a code object and an offset into it: unlike a frame they keep nothing else alive.
"""

import asyncio
import sysconfig
from enum import Enum, auto
from functools import lru_cache
from pathlib import Path
from sys import _getframe
from types import CodeType, FrameType
from typing import Any

from greenlet import getcurrent  # type: ignore[import-untyped]

Place = tuple[CodeType, int]

_POOLS, _CORE, _PACKAGE = (str(folder) for folder in Path(__file__).parents[:3])
_LIBRARIES = ("<", _POOLS, *{path for name, path in sysconfig.get_paths().items() if "lib" in name})
# What stands above them runs every task, and has called none of it.
_EVENT_LOOP = ("/asyncio/events.py", "/asyncio/runners.py")


class _Kind(Enum):
    OWN = auto()
    CORE = auto()
    LIBRARY = auto()
    EVENT_LOOP = auto()


@lru_cache(maxsize=4096)
def _kind(path: str) -> _Kind:
    if path.endswith(_EVENT_LOOP) or "/uvicorn/" in path:
        return _Kind.EVENT_LOOP
    if path.startswith(_PACKAGE) and not path.startswith(_CORE):
        return _Kind.OWN  # though it may be installed among the libraries
    if path.startswith(_LIBRARIES):
        return _Kind.LIBRARY
    return _Kind.CORE if path.startswith(_CORE) else _Kind.OWN


def caller() -> Place | None:
    """Return the nearest of the service's own callers, else the nearest in `core`, else None."""
    # SQLAlchemy runs in a greenlet, whose frames end where the coroutine that waits for it is.
    # That is where to look: to ask Python for the frames within costs more than all else here.
    parent = getcurrent().parent
    if parent is None:
        return _nearest(_getframe(1), None)
    frame = outer = parent.gr_frame
    own, event_loop = _Kind.OWN, _Kind.EVENT_LOOP
    while frame is not None:
        code = frame.f_code
        kind = _kind(code.co_filename)
        if kind is own:
            return code, frame.f_lasti
        if kind is event_loop:
            break
        frame = frame.f_back
    return _nearest(_getframe(1), outer)


def _nearest(*chains: FrameType | None) -> Place | None:
    core: Place | None = None
    for chain in chains:
        frame = chain
        while frame is not None:
            place = frame.f_code, frame.f_lasti
            kind = _kind(frame.f_code.co_filename)
            if kind is _Kind.OWN:
                return place
            if kind is _Kind.EVENT_LOOP:
                break
            if kind is _Kind.CORE:
                core = core or place
            frame = frame.f_back
    return core


def position(task: "asyncio.Task[Any] | None") -> Place | None:
    """Return where a task waits now, in the service's own code; None if it has ended."""
    place: Place | None = None
    awaited: Any = task.get_coro() if task is not None and not task.done() else None
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None and _kind(frame.f_code.co_filename) is _Kind.OWN:
            place = frame.f_code, frame.f_lasti
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return place


def describe(place: Place | None) -> str:
    """Return `file:line function`; a file of the service is relative to its package's folder."""
    if place is None:
        return "unknown"
    code, offset = place
    path = Path(code.co_filename)
    if path.is_relative_to(_PACKAGE):
        path = path.relative_to(Path(_PACKAGE).parent)
    lines = (line for start, end, line in code.co_lines() if start <= offset < end)
    return f"{path}:{next(lines, None) or code.co_firstlineno} {code.co_qualname}"
