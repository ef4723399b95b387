"""The servers that have to be started."""

from pathlib import Path

from ...config import Settings
from .base import DevServer
from .postgres import Postgres
from .redis import RedisServer


def missing_servers(settings: Settings, folder: Path) -> list[DevServer]:
    """Return the servers that `settings` do not name, with their data below `folder`."""
    missing: list[DevServer] = []
    if not settings.database_url and "host" not in settings.db.model_fields_set:
        missing.append(Postgres(folder / "postgres"))
    if not settings.redis.url and "host" not in settings.redis.model_fields_set:
        missing.append(RedisServer(folder / "redis"))
    return missing
