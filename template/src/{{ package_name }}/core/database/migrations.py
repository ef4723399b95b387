"""Running the migrations."""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from ..config import Settings

_PACKAGE = Path(__file__).parents[2]


def alembic_config(settings: Settings) -> Config:
    """Alembic's configuration for the database that `settings` name."""
    config = Config()
    config.set_main_option("script_location", str(_migrations_folder()).replace("%", "%%"))
    config.attributes["settings"] = settings
    return config


def migrate(settings: Settings) -> None:
    """Bring the tables up to date. Raises OSError, SQLAlchemyError or CommandError.

    Several processes may do so at the same time: all but one wait. Not from within an event loop.
    """
    command.upgrade(alembic_config(settings), "head")


class Revisions(NamedTuple):
    """The migrations that come with this code: the last ones, and all."""

    heads: frozenset[str]
    known: frozenset[str]


def read_revisions(settings: Settings) -> Revisions:
    """Read them from their files, once in the life of the process. Raises CommandError."""
    return _read_revisions(alembic_config(settings).get_main_option("script_location") or "")


@lru_cache(maxsize=1)
def _read_revisions(folder: str) -> Revisions:
    scripts = ScriptDirectory(folder)
    known = frozenset(script.revision for script in scripts.walk_revisions())
    return Revisions(frozenset(scripts.get_heads()), known)


def _migrations_folder() -> Path:
    installed = _PACKAGE / "migrations"  # where the wheel puts it
    return installed if installed.exists() else _PACKAGE.parents[1] / "migrations"
