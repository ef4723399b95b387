"""Environment names of settings."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def setting_names(cls: type[BaseModel]) -> list[str]:
    """The environment name of every setting, in the order of declaration."""
    return [name for name, _ in walk_fields(cls)]


def walk_fields(cls: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """(environment name, field) of every setting; a group's are prefixed with its name."""
    for name, field in cls.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from walk_fields(type(field.default), f"{name}_".upper())
        else:
            yield f"{prefix}{name.upper()}", field
