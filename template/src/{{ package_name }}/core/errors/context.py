"""Values that say what the code was working on: for its log lines, and for its errors."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar, Token
from itertools import count
from types import TracebackType
from typing import Any, Self

_ATTRIBUTE = "error_context"
_MAX_KEYS = 30
_MAX_LENGTH = 500
_numbers = count()


class _Context(dict[str, Any]):
    """The values of a block and of those around it; the inner one wins."""

    def __init__(self, outer: "_Context | None", values: Mapping[str, Any]) -> None:
        super().__init__(outer or {})
        self.update((name, _capped(value)) for name, value in values.items())
        for name in list(self)[: max(0, len(self) - _MAX_KEYS)]:
            del self[name]
        self.outer = outer
        self.number = next(_numbers)  # of two, the later one has the greater

    def is_within(self, other: "_Context") -> bool:
        context: _Context | None = self
        while context is not None and context is not other:
            context = context.outer
        return context is other


_current: ContextVar[_Context | None] = ContextVar("error_context", default=None)


class error_context:  # noqa: N801  # used like a function
    """Say what a block of code works on: `with error_context(user_id=7, symbol="BTC-USDT"):`

    Every line logged inside carries the values, and so does the line that reports an error raised
    inside, wherever it is caught: re-raised, translated (`from`, also `from None`), in a group, or
    from a task. A value is cut at 500 characters; secrets are masked as everywhere in the log. The
    client sees none of it, but for the names the application makes public.
    """

    def __init__(self, **values: Any) -> None:
        self._values = values

    def __enter__(self) -> Self:
        self._context = _Context(_current.get(), self._values)
        self._token: Token[_Context | None] = _current.set(self._context)
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with suppress(ValueError):  # a generator that was left in another thread
            _current.reset(self._token)
        if error is None:
            return
        context = self._context
        attached = getattr(error, _ATTRIBUTE, None)
        if isinstance(attached, _Context):
            if attached.is_within(context):
                return  # an inner block's says more
            if attached.number > context.number:
                # A block in another thread, which could not see this one around it.
                context = _Context(context, attached)
            # Else it is left from an earlier raise of the same instance.
        with suppress(AttributeError):
            setattr(error, _ATTRIBUTE, context)


def current_context() -> Mapping[str, Any]:
    """Return the values of the blocks around the caller."""
    return _current.get() or {}


def context_of(error: BaseException) -> dict[str, Any]:
    """Return the values that an error carries, or its causes, or the members of a group."""
    merged: dict[str, Any] = {}
    for part in _related(error):
        merged = {**getattr(part, _ATTRIBUTE, {}), **merged}
    return merged


def _related(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, its causes and its members, nearest first."""
    queue, seen = [error], set[int]()
    while queue:
        part = queue.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        queue += [cause for cause in (part.__cause__, part.__context__) if cause is not None]
        if isinstance(part, BaseExceptionGroup):
            queue += part.exceptions


def _capped(value: Any, depth: int = 3) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth and isinstance(value, Mapping):  # as it is, for secrets to be found by name
        items = list(value.items())[:_MAX_KEYS]
        return {str(key): _capped(item, depth - 1) for key, item in items}
    try:
        text = str(value)
    except Exception as error:  # what describes an error must not raise one
        text = f"<{type(value).__name__}: {type(error).__name__} in str()>"
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}... ({len(text)} characters)"
