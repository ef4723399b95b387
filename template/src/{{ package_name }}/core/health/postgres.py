"""The connection on which PostgreSQL is asked whether it answers, and how migrated it is.

It is not of the pool: a busy pool delays no check, and a check takes no connection away.
"""

from collections.abc import Set as AbstractSet
from contextlib import nullcontext, suppress
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]
from pydantic import BaseModel

from ..config import Settings
from ..database.migrations import Revisions

# What a connection ends with that PostgreSQL has closed, such as to start anew.
_CLOSED_BY_SERVER = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, OSError)


class Migrations(BaseModel):
    """How the tables of the database compare with what this code was written for.

    `ahead` has a revision this code does not know: a newer version of the service has migrated,
    while this one still runs. `behind` lacks one that this code needs.
    """

    status: Literal["at_head", "ahead", "behind", "unknown"] = "unknown"
    expected: list[str] = []
    found: list[str] = []


class PostgresConnection:
    """One connection, which is kept open. The question is: how migrated is the database?"""

    _QUESTION = "SELECT version_num FROM alembic_version"

    def __init__(self, settings: Settings) -> None:
        url = settings.sqlalchemy_url
        _, options = url.get_dialect()().create_connect_args(url)
        self._behind_pgbouncer = settings.db.behind_pgbouncer
        # The driver's own connection: it is aborted at once, where an engine says goodbye first.
        self._options: dict[str, Any] = {
            **options,
            "timeout": settings.health.server_timeout,
            "statement_cache_size": 0,  # PgBouncer gives the next statement to another server
        }
        self._connection: asyncpg.Connection | None = None
        self.revisions: Revisions | None = None
        """The revisions of this code; until they are known, migrations are `unknown`."""
        self.found: frozenset[str] = frozenset()
        """The revisions that the database had at the last answer."""

    async def ask(self) -> None:
        """Raise an error unless PostgreSQL answers."""
        connection = self._connection
        if connection is not None and not connection.is_closed():
            with suppress(
                asyncpg.InterfaceError, asyncpg.PostgresConnectionError, *_CLOSED_BY_SERVER
            ):
                await self._ask(connection)
                return
        self._connection = connection = await asyncpg.connect(**self._options)
        await self._ask(connection)

    async def _ask(self, connection: asyncpg.Connection) -> None:
        # PgBouncer may give each transaction, and so each message, to another server.
        block = connection.transaction() if self._behind_pgbouncer else nullcontext()
        try:
            async with block:
                rows = await connection.fetch(self._QUESTION)
        except asyncpg.UndefinedTableError:  # nobody has ever migrated it
            rows = []
        except BaseException:
            connection.terminate()
            raise
        self.found = frozenset(row["version_num"] for row in rows)

    def abort(self) -> None:
        """Throw the connection away, without waiting for anything."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        """Throw the connection away."""
        self.abort()

    @property
    def migrations(self) -> Migrations:
        """How migrated the database was at the last answer."""
        if self.revisions is None:
            return Migrations()
        return Migrations(
            status=_compare(self.found, self.revisions),
            expected=sorted(self.revisions.heads),
            found=sorted(self.found),
        )


def _compare(
    found: AbstractSet[str], revisions: Revisions
) -> Literal["at_head", "ahead", "behind"]:
    if found == revisions.heads:
        return "at_head"
    return "behind" if found <= revisions.known else "ahead"
