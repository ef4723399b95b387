"""Running the migrations, and finding the tables that they are written for."""

import asyncio
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.pool import NullPool

from ..config import Settings, get_settings
from .schema import create_schema, refuse_foreign, write_owner
from .session import create_engine
from .tables import Base
from .unreachable import raise_unreachable

_PACKAGE = Path(__file__).parents[2]


def alembic_config(settings: Settings) -> Config:
    """Return Alembic's configuration for the database that `settings` name."""
    config = Config()
    config.set_main_option("script_location", str(_migrations_folder()).replace("%", "%%"))
    config.attributes["settings"] = settings
    return config


def migrate(settings: Settings, *, former_slug: str = "") -> None:
    """Bring the tables up to date. Several processes may do so at the same time: all but one wait.

    `former_slug` is what the service was called when it was last migrated, if that has changed. Not
    from within an event loop. Raises OSError, SQLAlchemyError, or CommandError, such as
    ForeignSchemaError.
    """
    config = alembic_config(settings)
    config.attributes["former_slug"] = former_slug
    command.upgrade(config, "head")


def run_environment() -> None:
    """Do what Alembic was asked for, in the schema of the settings. For `migrations/env.py`."""
    import_tables(_PACKAGE.name)
    settings = context.config.attributes.get("settings") or get_settings()
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", target_metadata=Base.metadata)
        with context.begin_transaction():
            context.execute(f'SET LOCAL search_path TO "{settings.db_schema}"')
            context.run_migrations()
    else:
        asyncio.run(_run_online(settings))


async def _run_online(settings: Settings) -> None:
    # A role may have a statement_timeout, and a migration takes as long as it takes.
    engine = create_engine(settings, {"statement_timeout": "0"}, poolclass=NullPool)
    raise_unreachable(engine, settings)
    async with engine.connect() as connection:
        await connection.run_sync(_run, settings)


def _run(connection: Connection, settings: Settings) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        process_revision_directives=refuse_empty_revision,
    )
    with context.begin_transaction():
        # Replicas that start together migrate one after the other.
        lock = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")
        connection.execute(lock, {"name": f"migrate {settings.db_schema}"})
        former_slug = context.config.attributes.get("former_slug", "")
        is_ours = refuse_foreign(connection, settings, former_slug)
        create_schema(connection, settings)
        context.run_migrations()
        if not is_ours:
            write_owner(connection, settings)


def import_tables(package: str) -> None:
    """Import every module of the service but `core` and `__main__`: tables are registered by it."""
    for module in iter_modules(import_module(package).__path__, f"{package}."):
        name = module.name.rpartition(".")[2]
        if name not in ("core", "__main__"):
            import_module(module.name)
            if module.ispkg:
                import_tables(module.name)


def refuse_empty_revision(migration: Any, _revision: Any, directives: list[Any]) -> None:
    """Raise CommandError instead of writing a revision that changes nothing.

    For Alembic's `process_revision_directives`, in `alembic revision --autogenerate`.
    """
    asked = getattr(migration.config.cmd_opts, "cmd", None)  # `alembic check` comes here, too
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
