"""Name of the schema that the venue's tables are in."""

from typing import Final

from ...core.config import Settings

SCHEMA: Final = "paper"


def schema_of(settings: Settings) -> str:
    """Return the schema of the service's venue: each service has one of its own."""
    return SCHEMA if settings.db_schema == "public" else f"{settings.db_schema}_{SCHEMA}"
