"""Settings as text: those in effect, and the example file."""

import sys
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from .faults import faults_of
from .names import setting_names, walk_fields
from .settings import Settings

_MASK = "********"
EX_CONFIG = 78  # of sysexits.h: something was found in an unconfigured or misconfigured state


def complain(error: ValidationError) -> int:
    """Write each fault of the configuration to standard error; return the exit code."""
    lines = [f"  {name}: {fault}\n" for name, fault in faults_of(error).items()]
    sys.stderr.writelines(["The configuration can't be used:\n", *lines])
    return EX_CONFIG


def effective_values(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return `{"DB_PORT": {"value": 5432, "source": "default"}, ...}`, with secrets masked."""
    return {
        name: {"value": value, "source": settings.origin(name)}
        for name, value in _values(settings, "").items()
    }


def _values(model: BaseModel, prefix: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in type(model).model_fields:
        value = getattr(model, field)
        if isinstance(value, BaseModel):
            values |= _values(value, f"{field}_".upper())
        else:
            values[f"{prefix}{field.upper()}"] = _MASK if isinstance(value, SecretStr) else value
    return values


def env_example(cls: type[Settings]) -> str:
    """Return the text of `.env.example`: each setting with its meaning and its default.

    Those that a service adds stand at the end, below a line that is always there: a setting of a
    team's and one of the template's are never neighbours, so that an update merges them.
    """
    inherited = {name for base in cls.__bases__ for name in setting_names(base)}
    fields = dict(walk_fields(cls))
    own = {name: field for name, field in fields.items() if name not in inherited}
    lines = [
        "# Every setting, with its default. Copy to .env and uncomment what you change.",
        "# A value is taken as it stands: ${NAME} in it is not replaced.",
        *_examples({name: field for name, field in fields.items() if name in inherited}),
        "",
        "# --- Added in settings.py ---",
        *_examples(own),
    ]
    return "\n".join(lines) + "\n"


def _examples(fields: dict[str, FieldInfo]) -> list[str]:
    """Return two lines for each setting, with an empty one before each group."""
    lines: list[str] = []
    group = None
    for name, field in fields.items():
        if name.split("_")[0] != group:
            group = name.split("_")[0]
            lines.append("")
        lines += [f"# {field.description}", f"#{name}={shown(field.default)}"]
    return lines


def shown(value: Any) -> str:
    """Return a value as one would write it in `.env`."""
    if isinstance(value, tuple):
        return ",".join(value)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
