"""Where each value comes from."""

from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

ORIGINS = "origins of the values"  # no field can have this name


class OriginsSource(PydanticBaseSettingsSource):
    """Adds, under the key ORIGINS, which source each environment name was found in."""

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
        # The first one wins, so it comes last.
        self._sources = {"secret file": secrets, ".env": dotenv, "environment": environment}

    def get_field_value(self, _field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        origins: dict[str, str] = {}
        for origin, source in self._sources.items():
            assert isinstance(source, EnvSettingsSource)
            origins |= dict.fromkeys((name.upper() for name in source.env_vars), origin)
        origins |= dict.fromkeys((name.upper() for name in self._arguments()), "argument")
        return {ORIGINS: origins}
