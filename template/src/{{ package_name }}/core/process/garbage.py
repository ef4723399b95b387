"""The garbage collector, while much is imported and at the end of the process."""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache


@contextmanager
def importing() -> Iterator[None]:
    """A block of imports, without a search for garbage.

    What they make stays: to look through it, again and again as it grows, takes a tenth of their
    time. Nor is it looked through later, when that would hold up a request.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@cache
def end_without_collecting() -> None:
    """Let the interpreter end without looking for garbage among all that was ever imported.

    It would take a third of the time that importing took, and what is found is freed anyway.
    """
    atexit.register(gc.freeze)
