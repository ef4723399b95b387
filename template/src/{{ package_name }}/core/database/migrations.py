"""Running the migrations."""

from pathlib import Path

from alembic import command
from alembic.config import Config

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


def _migrations_folder() -> Path:
    installed = _PACKAGE / "migrations"  # where the wheel puts it
    return installed if installed.exists() else _PACKAGE.parents[1] / "migrations"
