"""The garbage collector, at the end of the process."""

import atexit
import gc
from functools import cache


@cache
def end_without_collecting() -> None:
    """Let the interpreter end without looking for garbage among all that was ever imported.

    It would take a third of the time that importing took, and what is found is freed anyway.
    """
    atexit.register(gc.freeze)
