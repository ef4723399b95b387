"""Where each value comes from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
)

from .faults import hidden
from .names import setting_names, walk_fields

ORIGINS = "origins of the values"  # no field can have this name
FOREIGN = "names that are no settings"


class SecretFilesSource(NestedSecretsSettingsSource):
    """Files whose names are those of settings; the others are not read."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        known = setting_names(self.settings_cls)
        values: dict[str, str | None] = {}
        faults: dict[str, str] = {}
        for folder in self.secrets_paths:
            for path in self._iter_secret_files(folder):
                name = str(path.relative_to(folder)).upper()
                try:
                    values[name.lower()] = _text(path) if name in known else None
                except UnicodeDecodeError:
                    faults[name] = "its secret file is not text in UTF-8"
                except OSError as error:
                    faults[name] = f"its secret file can't be read: {error.strerror}"
        if faults:
            raise hidden(faults)
        return values


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()


class OriginsSource(PydanticBaseSettingsSource):
    """Adds which source each environment name was found in, and the names that are not ours.

    It also takes out of the other sources what is none of a setting's: names of other programs,
    among them those that a group has (such as LOG), and what is blank where nothing is the
    default. Blank in one source hides the name from the weaker ones.
    """

    def __init__(
        self,
        settings_cls: type[BaseSettings],
        arguments: PydanticBaseSettingsSource,
        environment: PydanticBaseSettingsSource,
        dotenv: PydanticBaseSettingsSource,
        secrets: PydanticBaseSettingsSource,
    ) -> None:
        super().__init__(settings_cls)
        self._arguments = arguments
        self._origins: dict[str, str] = {}
        self._foreign: set[str] = set()
        may_be_blank = {name: not field.default for name, field in walk_fields(settings_cls)}
        blank: set[str] = set()
        sources = {"environment": environment, ".env": dotenv, "secret file": secrets}
        for origin, source in sources.items():
            assert isinstance(source, EnvSettingsSource)
            ours: dict[str, str | None] = {}
            for key, value in source.env_vars.items():
                name = key.upper()
                if name not in may_be_blank:
                    self._foreign.add(name)
                elif not (value or "").strip() and may_be_blank[name]:
                    blank.add(name)
                elif name not in blank:
                    ours[key] = value
                    self._origins.setdefault(name, origin)
            source.env_vars = ours

    def get_field_value(self, _field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        arguments = dict.fromkeys((name.upper() for name in self._arguments()), "argument")
        return {ORIGINS: self._origins | arguments, FOREIGN: self._foreign}
