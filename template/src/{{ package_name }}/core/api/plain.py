"""Any value as plain JSON: what tells of an error must not fail itself."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

_DEEPEST = 8


def plain_json(value: Any, depth: int = _DEEPEST) -> Any:
    """Return the value as JSON can hold it; what it can't is told by its text."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):  # half of a surrogate pair is in no encoding
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, bytes | bytearray):
        return value.decode(errors="backslashreplace")
    if depth and isinstance(value, Mapping):
        return {plain_json(str(key)): plain_json(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [plain_json(item, depth - 1) for item in value]
    try:
        return plain_json(to_jsonable_python(value), depth - 1) if depth else _text(value)
    except Exception:
        return _text(value)


def _text(value: Any) -> str:
    try:
        text = str(value)
    except Exception as error:
        return f"<{type(value).__name__}: {type(error).__name__} in str()>"
    return text.encode(errors="backslashreplace").decode()
