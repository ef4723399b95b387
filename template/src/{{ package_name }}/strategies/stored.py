"""State as JSON: what a strategy knows, written down and read again without a digit lost."""

from dataclasses import fields, is_dataclass
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter


def to_json(value: Any) -> Any:
    """Return the value as JSON has it: each part by its name, decimals as strings."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if hasattr(value, "_fields"):
        return {name: to_json(part) for name, part in zip(value._fields, value, strict=True)}
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [to_json(part) for part in value]
    if isinstance(value, dict):
        return {name: to_json(part) for name, part in value.items()}
    return value


def adapter_of(state_type: Any) -> TypeAdapter[Any]:
    """Return what reads this type. It takes milliseconds to make one, so it is made once."""
    return _adapter_of(state_type)


@cache
def _adapter_of(state_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(state_type)
