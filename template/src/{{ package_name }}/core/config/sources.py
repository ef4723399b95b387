"""Sources of the values, and what is wrong with the way a value is written there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
)

from .addresses import is_service_link
from .faults import Faults, hidden
from .names import is_secret, setting_names, walk_fields


@dataclass
class Found:
    """Findings in the sources, besides the values."""

    origins: dict[str, str] = field(default_factory=dict)
    """The source whose value counts, by environment name."""
    foreign: set[str] = field(default_factory=set)
    """Names that are no settings."""
    faults: Faults = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


FOUND = "found by the sources"
"""The key of `Found` among the values. No field can have this name."""


class LiteralDotEnvSource(DotEnvSettingsSource):
    """The file `.env`, in which `${NAME}` stands for itself: a password may hold it."""

    def _read_env_file(self, file_path: Path) -> Mapping[str, str | None]:
        values = dotenv_values(
            file_path, encoding=self.env_file_encoding or "utf-8", interpolate=False
        )
        return {name.lower(): value for name, value in values.items()}


class SecretFilesSource(NestedSecretsSettingsSource):
    """Files whose names are those of settings; the others are not read."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        known = setting_names(self.settings_cls)
        values: dict[str, str | None] = {}
        faults: Faults = {}
        for folder in self.secrets_paths:
            for path in self._iter_secret_files(folder):
                name = str(path.relative_to(folder)).upper()
                try:
                    text = path.read_text(encoding="utf-8") if name in known else None
                    values[name.lower()] = text
                except UnicodeDecodeError:
                    faults[name] = "its secret file is not text in UTF-8"
                except OSError as error:
                    faults[name] = f"its secret file can't be read: {error.strerror}"
        if faults:
            raise hidden(faults)
        return values


class FindingsSource(PydanticBaseSettingsSource):
    """Adds to the values what was found with them.

    It also takes out of the other sources what is none of a setting's: names of other programs,
    among them those that a group has (such as LOG), and what is blank where nothing is the
    default. Blank in one source hides the name from the weaker ones. And it takes away what
    surrounds a value by accident: line ends, and blanks where the value is no secret.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        arguments: PydanticBaseSettingsSource,
        sources: dict[str, EnvSettingsSource],
    ) -> None:
        """`sources` are the others by what they are called, the strongest first."""
        super().__init__(settings_cls)
        self._arguments = arguments
        self._found = Found()
        self._fields = dict(walk_fields(settings_cls))
        self._blank: set[str] = set()
        for origin, source in sources.items():
            kept = {key: self._keep(origin, key, value) for key, value in source.env_vars.items()}
            source.env_vars = {key: value for key, value in kept.items() if value is not None}

    def _keep(self, origin: str, key: str, value: str | None) -> str | None:
        """Return the value for a setting; None where there is nothing that counts."""
        name = key.upper()
        if name not in self._fields:
            if not is_service_link(value):
                self._found.foreign.add(name)
            return None
        text = (value or "").strip("\r\n" if is_secret(self._fields[name]) else None)
        if not text.strip() and not self._fields[name].default:
            self._blank.add(name)
            return None
        if name in self._blank:
            return None
        counts = self._found.origins.setdefault(name, origin) == origin
        if counts and origin != ".env":
            self._note_quotes(name, text)
        return text

    def _note_quotes(self, name: str, text: str) -> None:
        # Where `.env` is read, quotes around a value are taken away. Docker's --env-file, and an
        # environment block in YAML that is quoted twice, keep them.
        if len(text) < 2 or text[0] not in "\"'" or text[0] != text[-1]:
            return
        if is_secret(self._fields[name]):
            self._found.notes.append(f"{name} has quotes around it, and they count as part of it")
        else:
            self._found.faults[name] = "has quotes around it; remove them"

    def get_field_value(self, _field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        self._found.origins |= dict.fromkeys(
            (name.upper() for name in self._arguments()), "argument"
        )
        return {FOUND: self._found}
