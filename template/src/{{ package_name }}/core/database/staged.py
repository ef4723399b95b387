"""Changes of tables in steps that each take a moment, for migrations while the service serves.

Each step is a transaction of its own, and is left out where it is done already: a migration made of
these functions may end anywhere, and the next `migrate` goes on from there. Nothing else belongs
into such a migration. docs/migrations.md says which change needs which of them.

Names are those of the database, such as `ck_orders_note`; SQL in a text is taken as it is.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

from alembic import op
from alembic.util import CommandError
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError

from .turns import delay_after

T = TypeVar("T")


def create_index_concurrently(
    name: str,
    table: str,
    columns: Sequence[str],
    *,
    unique: bool = False,
    using: str = "btree",
    where: str = "",
) -> None:
    """Create an index while the table is written to. A column may be an expression in brackets.

    The invalid index that an interrupted or failed attempt has left is dropped first. Raises
    sqlalchemy's IntegrityError where `unique` does not hold.
    """
    keys = ", ".join(column if column.startswith("(") else _quoted(column) for column in columns)
    create = (
        f"CREATE {'UNIQUE ' if unique else ''}INDEX CONCURRENTLY {_quoted(name)}"
        f" ON {_quoted(table)} USING {using} ({keys}){f' WHERE {where}' if where else ''}"
    )

    def attempt() -> None:
        if (is_valid := _is_valid(name)) is False:
            _run(f"DROP INDEX CONCURRENTLY {_quoted(name)}")
        if not is_valid:
            _run(create)

    # It may wait for transactions as long as it takes: nobody waits behind it.
    with _steps(wait="0"):
        _again(attempt)


def drop_index_concurrently(name: str) -> None:
    """Drop an index while its table is read and written to."""
    with _steps(wait="0"):
        _again(lambda: _run(f"DROP INDEX CONCURRENTLY IF EXISTS {_quoted(name)}"))


def add_check_not_valid(name: str, table: str, condition: str) -> None:
    """Add a check that new rows have to hold. `validate` then reads those that were there."""
    _add_not_valid(name, table, f"CHECK ({condition})")


def add_foreign_key_not_valid(
    name: str, table: str, columns: Sequence[str], referred: str, referred_columns: Sequence[str]
) -> None:
    """Add a foreign key that new rows have to hold. `validate` then reads those that were there."""
    ours, theirs = (", ".join(map(_quoted, names)) for names in (columns, referred_columns))
    reference = f"FOREIGN KEY ({ours}) REFERENCES {_quoted(referred)} ({theirs})"
    _add_not_valid(name, table, reference)


def validate(name: str, table: str) -> None:
    """Make sure that every row holds a constraint. Writes go on, however long it reads.

    Raises sqlalchemy's IntegrityError where a row does not: mend it, and migrate again.
    """
    with _steps():
        _again(lambda: _run(f"ALTER TABLE {_quoted(table)} VALIDATE CONSTRAINT {_quoted(name)}"))


def set_not_null(table: str, column: str) -> None:
    """Make a column NOT NULL. That no row is NULL is read while writes go on, as in `validate`."""
    check = f"ck_{table}_{column}_not_null"
    add_check_not_valid(check, table, f"{_quoted(column)} IS NOT NULL")
    validate(check, table)
    with _steps():
        alter = f"ALTER TABLE {_quoted(table)}"
        _again(lambda: _run(f"{alter} ALTER COLUMN {_quoted(column)} SET NOT NULL"))
        _again(lambda: _run(f"{alter} DROP CONSTRAINT IF EXISTS {_quoted(check)}"))


def backfill(
    table: str, values: str, *, where: str, batch: int = 1000, pause: float = 0.05
) -> None:
    """Write `values`, such as `note = ''`, into the rows of which `where` holds, all of them.

    It goes through the table in the order of its primary key: a transaction reads `batch` rows, and
    the next one begins `pause` seconds later. A row that somebody else holds is written in the next
    round. So what serves must not add such rows any more, and `values` must end that one is it.
    """
    if op.get_context().as_sql:
        op.execute(f"UPDATE {_quoted(table)} SET {values} WHERE {where}")  # noqa: S608
        return
    with _steps():
        key: list[str] = inspect(op.get_bind()).get_pk_constraint(table)["constrained_columns"]
        if not key:
            raise CommandError(f"backfill() goes by the primary key, and {table!r} has none")
        left = f"SELECT EXISTS (SELECT FROM {_quoted(table)} WHERE {where})"  # noqa: S608
        while _run(left).scalar_one():
            after: Sequence[Any] = ()
            while last := _write_batch(table, values, where, batch, key, after):
                after = last
                time.sleep(pause)


def _write_batch(
    table: str, values: str, where: str, batch: int, key: list[str], after: Sequence[Any]
) -> Sequence[Any] | None:
    """Write to rows that come after a key, and return the last key; None where there is no row."""
    keys = ", ".join(map(_quoted, key))
    places = ", ".join(f"${number}" for number in range(1, len(after) + 1))
    beyond = f"WHERE ({keys}) > ({places})" if after else ""
    downwards = ", ".join(f"{_quoted(column)} DESC" for column in key)
    statement = f"""
        WITH page AS MATERIALIZED (
            SELECT ctid AS place, {keys} FROM {_quoted(table)} {beyond}
            ORDER BY {keys} LIMIT {batch}
        ), free AS MATERIALIZED (
            SELECT ctid AS place FROM {_quoted(table)}
            WHERE ctid = ANY (ARRAY(SELECT place FROM page)) AND ({where}) FOR UPDATE SKIP LOCKED
        ), written AS (
            UPDATE {_quoted(table)} SET {values}
            WHERE ctid = ANY (ARRAY(SELECT place FROM free)) AND ({where})
        )
        SELECT {keys} FROM page ORDER BY {downwards} LIMIT 1
    """  # noqa: S608  # SQL is what it is given
    row = _again(lambda: _run(statement, tuple(after)).one_or_none())
    return None if row is None else tuple(row)


def _add_not_valid(name: str, table: str, definition: str) -> None:
    alter = f"ALTER TABLE {_quoted(table)} ADD CONSTRAINT {_quoted(name)} {definition} NOT VALID"
    with _steps():
        _again(lambda: None if _has_constraint(name, table) else _run(alter))


@contextmanager
def _steps(wait: str = "") -> Iterator[None]:
    """Have each statement be a transaction, which waits for locks as long as other migrations do.

    `wait` is how long instead, as PostgreSQL says it.
    """
    migration = op.get_context()
    if migration.as_sql:
        with migration.autocommit_block():
            yield
        return
    wait = wait or _run("SHOW lock_timeout").scalar_one()
    with migration.autocommit_block():
        _run(f"SET lock_timeout = '{wait}'")
        yield
        _run("SET lock_timeout = 0")


def _again(step: Callable[[], T]) -> T:
    """Do a step, again where a lock was not to be had, and return its result."""
    for attempt in count(1):
        try:
            return step()
        except DBAPIError as error:
            time.sleep(delay_after(error, attempt))
    raise AssertionError("unreachable")


def _run(statement: str, parameters: tuple[Any, ...] = ()) -> Any:
    """Run a statement as it is, or write it where migrations are written as SQL."""
    if op.get_context().as_sql:
        return op.execute(statement)
    return op.get_bind().exec_driver_sql(statement, parameters)


def _is_valid(index: str) -> bool | None:
    """Validity of an index; None if there is none, or nobody to ask."""
    if op.get_context().as_sql:
        return None
    found = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass($1)"
    is_valid: bool | None = _run(found, (_quoted(index),)).scalar_one_or_none()
    return is_valid


def _has_constraint(name: str, table: str) -> bool:
    if op.get_context().as_sql:
        return False
    found = "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass($1)"
    return bool(_run(f"{found} AND conname = $2)", (_quoted(table), name)).scalar_one())


def _quoted(name: str) -> str:
    return op.get_context().dialect.identifier_preparer.quote_identifier(name)
