"""Running the migrations, and finding the tables that they are written for."""

import asyncio
from collections.abc import Collection
from contextlib import nullcontext
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, NamedTuple, NoReturn

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.pool import NullPool

from ..config import Settings, get_settings
from .schema import create_schema, refuse_foreign, write_owner
from .session import create_engine, set_in_each_transaction
from .tables import Base
from .turns import in_turn
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

    Each migration is a transaction, or, behind PgBouncer without DB_DIRECT_HOST, all of them are
    one. Where a table that it changes is in use it lets others pass, and tries again.

    `former_slug` is what the service was called when it was last migrated, if that has changed. Not
    from within an event loop. Raises OSError, SQLAlchemyError, or CommandError, such as
    ForeignSchemaError.
    """
    config = alembic_config(settings)
    config.attributes["former_slug"] = former_slug
    command.upgrade(config, "head")


def run_environment(*, of_parts: Collection[str] = ()) -> None:
    """Do what Alembic was asked for, in the schema of the settings. For `migrations/env.py`.

    `of_parts` are tables of parts that a service may be rendered without: the migrations make them
    nevertheless, so that the schema is always the same, and where their module is missing no new
    migration is to drop them.
    """
    import_tables(_PACKAGE.name)
    settings = context.config.attributes.get("settings") or get_settings()
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", target_metadata=Base.metadata)
        with context.begin_transaction():
            # Not LOCAL: a migration may end the transaction, to create an index CONCURRENTLY.
            context.execute(f'SET search_path TO "{settings.db_schema}"')
            context.run_migrations()
    else:
        asyncio.run(_run_online(settings, frozenset(of_parts) - Base.metadata.tables.keys()))


async def _run_online(settings: Settings, ignored: frozenset[str]) -> None:
    settings = settings.direct
    engine = create_engine(settings, _SESSION, poolclass=NullPool)
    # In transactions alone: CONCURRENTLY is in none, and disturbs nobody while it waits.
    wait = f"{settings.db.migrate_lock_timeout * 1000:.0f}ms"
    set_in_each_transaction(engine, {"lock_timeout": wait})
    raise_unreachable(engine, settings)
    async with engine.connect() as connection:
        await in_turn(connection, settings, partial(_run, settings=settings, ignored=ignored))


_SESSION = {
    "statement_timeout": "0",  # a migration takes as long as it takes
    "lock_timeout": "0",  # outside of transactions, which have their own
    "idle_session_timeout": "0",  # and may pause
    # A migration that was killed ends in PostgreSQL, too; its locks would stay until then.
    "client_connection_check_interval": "1000",
}


def _run(connection: Connection, settings: Settings, ignored: frozenset[str]) -> None:
    is_pooled = connection.in_transaction()
    with nullcontext() if is_pooled else connection.begin():
        former_slug = context.config.attributes.get("former_slug", "")
        is_ours = refuse_foreign(connection, settings, former_slug)
        create_schema(connection, settings)
        if not is_ours:
            write_owner(connection, settings)

    def write_owner_of_new_table(*_: Any, **__: Any) -> None:
        if not is_ours:
            write_owner(connection, settings)

    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=lambda name, kind, _: kind != "table" or name not in ignored,
        process_revision_directives=refuse_empty_revision,
        transaction_per_migration=True,
        on_version_apply=write_owner_of_new_table,
    )
    if is_pooled:
        context.get_context().autocommit_block = _refuse_autocommit  # type: ignore[method-assign]
    with context.begin_transaction():
        context.run_migrations()


def _refuse_autocommit() -> NoReturn:
    raise CommandError(
        "a migration needs a session of its own (autocommit_block), which PgBouncer does not give:"
        " set DB_DIRECT_HOST and DB_DIRECT_PORT to where PostgreSQL itself is"
    )


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
