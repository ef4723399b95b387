"""The schema that a service's tables are in, and which service it belongs to.

Two services in one schema would share tables without a word. So a schema has one owner: the first
migration writes it, as a comment on Alembic's table, `service <slug>`.
"""

from alembic.util import CommandError
from sqlalchemy import Connection, MetaData, Table, text
from sqlalchemy.schema import CreateSchema, SetTableComment

from ..config import Settings

_VERSION_TABLE = "alembic_version"
_OWNER = "service "


class ForeignSchemaError(CommandError):
    """The schema of the settings belongs to another service; the text says what to do."""


def refusal(settings: Settings, owner: str | None) -> str:
    """Return why the schema can't be used: it is another service's; "" where it can be."""
    if not settings.slug or owner is None or owner == settings.slug:
        return ""
    return (
        f"the schema {settings.db_schema!r} belongs to the service {owner!r}. Set DB_SCHEMA to one"
        f" of its own for {settings.slug!r}; or, if {owner!r} is its former name, run"
        f" `{settings.slug} migrate --renamed-from {owner}`"
    )


def refuse_foreign(connection: Connection, settings: Settings, former_slug: str = "") -> bool:
    """Return whether the schema is this service's; False if it is nobody's yet.

    What `former_slug` has left, the service's name before it was renamed, is nobody's. Raises
    ForeignSchemaError if it is another service's.
    """
    owner = owner_in(connection.scalar(text(f"SELECT {owner_sql(settings)}")))
    if owner == former_slug:
        owner = None
    if reason := refusal(settings, owner):
        raise ForeignSchemaError(reason)
    return owner is not None


def version_table(settings: Settings) -> str:
    """Return the name of Alembic's table, as SQL needs it."""
    return f'"{settings.db_schema}".{_VERSION_TABLE}'


def owner_sql(settings: Settings) -> str:
    """Return the SQL expression that is NULL, or the comment for `owner_in`."""
    return f"obj_description(to_regclass('{version_table(settings)}'), 'pg_class')"


def forbidden_sql(settings: Settings) -> str:
    """Return the SQL query for those of the tables `$1` that the role has no right to at all.

    Which rights it needs, on what, is the service's business: it may write a table and not read it.
    """
    schema = f"""to_regnamespace('"{settings.db_schema}"')"""
    return (
        f"SELECT relname FROM pg_class WHERE relnamespace = {schema}"  # noqa: S608  # a plain name
        " AND relkind IN ('r', 'p') AND relname = ANY ($1::text[])"
        " AND NOT has_table_privilege(oid, 'SELECT, INSERT, UPDATE, DELETE') ORDER BY relname"
    )


def owner_in(comment: str | None) -> str | None:
    """Return the service that the comment names, None if it names none."""
    name = (comment or "").removeprefix(_OWNER)
    return name if name != (comment or "") else None


def create_schema(connection: Connection, settings: Settings) -> None:
    """Create the schema where it is missing. Call it while nobody else does."""
    # IF NOT EXISTS alone wants the right to create one, also where there is nothing to do.
    found = text("SELECT count(*) FROM pg_namespace WHERE nspname = :schema")
    if not connection.scalar(found, {"schema": settings.db_schema}):
        connection.execute(CreateSchema(settings.db_schema))


def write_owner(connection: Connection, settings: Settings) -> None:
    """Say that the schema is this service's, once it has Alembic's table."""
    table = Table(_VERSION_TABLE, MetaData(), schema=settings.db_schema)
    table.comment = f"{_OWNER}{settings.slug}"
    if settings.slug and connection.dialect.has_table(connection, table.name, schema=table.schema):
        connection.execute(SetTableComment(table))
