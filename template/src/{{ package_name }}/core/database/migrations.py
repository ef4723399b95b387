"""Running the migrations, and finding the tables that they are written for."""

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

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


def import_tables(package: str) -> None:
    """Import every module of the service but `core` and `__main__`: tables are registered by it."""
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        name = module.name.rpartition(".")[2]
        if name not in ("core", "__main__"):
            import_module(module.name)
            if module.ispkg:
                import_tables(module.name)


def refuse_empty_revision(context: Any, _revision: Any, directives: list[Any]) -> None:
    """Raise CommandError instead of writing a revision that changes nothing.

    For Alembic's `process_revision_directives`, in `alembic revision --autogenerate`.
    """
    asked = getattr(context.config.cmd_opts, "cmd", None)  # `alembic check` comes here, too
    if asked and asked[0] is command.revision and directives[0].upgrade_ops.is_empty():
        raise CommandError(
            "the tables are as the migrations make them, so there is nothing to write. Is the"
            " module of the table below src/, and does its class inherit from Base?"
        )


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
