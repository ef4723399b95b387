"""Settings as text: those in effect, and the example file."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from .settings import Group, Settings

_MASK = "********"


def effective_values(settings: Settings) -> dict[str, Any]:
    """Every setting by its environment name; secrets are masked."""
    return {name: _shown(value) for name, value in _walk_values(settings, "")}


def env_example(cls: type[Settings]) -> str:
    """The text of `.env.example`: each setting with its meaning and its default."""
    lines = ["# Every setting, with its default. Copy to .env and uncomment what you change."]
    group = None
    for name, field in _walk_fields(cls, ""):
        if name.split("_")[0] != group:
            group = name.split("_")[0]
            lines.append("")
        default = "" if field.default is None else field.default
        value = str(default).lower() if isinstance(default, bool) else default
        lines += [f"# {field.description}", f"#{name}={value}"]
    return "\n".join(lines) + "\n"


def _walk_values(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Group):
            yield from _walk_values(value, f"{name.upper()}_")
        else:
            yield f"{prefix}{name.upper()}", value


def _walk_fields(cls: type[BaseModel], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for name, field in cls.model_fields.items():
        if isinstance(field.default, Group):
            yield from _walk_fields(type(field.default), f"{name.upper()}_")
        else:
            yield f"{prefix}{name.upper()}", field


def _shown(value: Any) -> Any:
    return _MASK if isinstance(value, SecretStr) else value
