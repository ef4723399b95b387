"""A memory of what rarely changes in the database, for some seconds, in each process."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from .transactions.transactional import Source, info_of

T = TypeVar("T")

_MOST: Final = 10_000
_IN_INFO: Final = "memo"


class Memo:
    """Values that were read lately, by key: 10,000 at most, the oldest are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    @property
    def info(self) -> dict[Any, Any]:
        """Entries of a session's `info` by which `memo_of` finds this one."""
        return {_IN_INFO: self}

    async def read(
        self, key: Hashable, seconds: float, read: Callable[[], Awaitable[T | None]]
    ) -> T | None:
        """Return what `read()` has returned within the last `seconds`; else read it now.

        None is not remembered, so that what is missing is found as soon as somebody adds it. The
        value outlives the session that has read it: it must not be attached to that, nor changed.
        """
        at, value = self._known.get(key, (float("-inf"), None))
        if value is not None and time.monotonic() - at < seconds:
            known: T = value
            return known
        began = time.monotonic()
        found = await read()
        if found is not None:
            self._put(key, began, found)
        return found

    def put(self, key: Hashable, value: object) -> None:
        """Remember a value that was read just now, together with others."""
        self._put(key, time.monotonic(), value)

    def _put(self, key: Hashable, at: float, value: object) -> None:
        self._known[key] = at, value
        self._known.move_to_end(key)
        if len(self._known) > _MOST:
            self._known.popitem(last=False)


def memo_of(source: Source) -> Memo:
    """Return the memo of the `Database` of a session; an empty one, if it is of no `Database`.

    So is it for a session in a transaction, which may see what is never committed.
    """
    memo: Memo | None = info_of(source).get(_IN_INFO)
    if memo is None or (isinstance(source, AsyncSession) and source.in_transaction()):
        return Memo()
    return memo
