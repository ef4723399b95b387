"""Environment names of settings."""

from collections.abc import Iterator
from typing import get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo


def setting_names(cls: type[BaseModel]) -> list[str]:
    """Return the environment name of every setting, in the order of declaration."""
    return [name for name, _ in walk_fields(cls)]


def walk_fields(cls: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield (environment name, field) of every setting; a group's begin with its name."""
    for name, field in cls.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from walk_fields(type(field.default), f"{name}_".upper())
        else:
            yield f"{prefix}{name.upper()}", field


def is_secret(field: FieldInfo) -> bool:
    """Tell whether the value of the field is one that must not be shown."""
    return SecretStr in (field.annotation, *get_args(field.annotation))
