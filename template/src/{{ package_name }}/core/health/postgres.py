"""The connection on which PostgreSQL is asked whether it takes writes, and for its migrations.

It is not of the pool: a busy pool delays no check, and a check takes no connection away.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import nullcontext, suppress
from datetime import datetime
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped]
from pydantic import BaseModel, Field

from ..config import Settings
from ..database.migrations import Revisions
from ..database.schema import forbidden_sql, owner_in, owner_sql, refusal, version_table
from ..database.tables import Base

# What a connection ends with that PostgreSQL has closed, such as to start anew.
_CLOSED_BY_SERVER = (asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, OSError)

# Values of DB_TARGET_SESSION_ATTRS: the service asks for a server that takes no writes.
_STANDBY = {"standby", "read-only", "prefer-standby"}


class Migrations(BaseModel):
    """The tables of the database, compared with those that this code was written for.

    `ahead` has a revision this code does not know: a newer version of the service has migrated,
    while this one still runs. `behind` lacks one that this code needs. `foreign`: the tables are
    another service's. They can be `at_head` and have a problem: the role may not use them.
    """

    status: Literal["at_head", "ahead", "behind", "foreign", "unknown"] = "unknown"
    expected: list[str] = []
    found: list[str] = []
    problem: str = Field("", description="Why the tables can't be used, and what to do; else empty")


class ReadOnlyServerError(ConnectionError):
    """The server takes no writes: another one is the primary now."""

    def __init__(self) -> None:
        super().__init__("the server takes no writes; it is a standby, or closed to them")


class PostgresConnection:
    """One connection, which is kept open. It asks whether PostgreSQL takes writes, and migrations.

    `when_moved` is called where it takes none any more: the primary is elsewhere.
    """

    def __init__(self, settings: Settings, when_moved: Callable[[], None] = lambda: None) -> None:
        url = settings.sqlalchemy_url
        _, options = url.get_dialect()().create_connect_args(url)
        self._behind_pgbouncer = settings.db.behind_pgbouncer
        # The driver's own connection: it is aborted at once, where an engine says goodbye first.
        self._options: dict[str, Any] = {
            **options,
            "timeout": settings.health.server_timeout,
            "target_session_attrs": settings.target_session_attrs,
            "statement_cache_size": 0,  # PgBouncer gives the next statement to another server
        }
        # Nothing is set on the connection: behind PgBouncer the next question may have another one.
        self._question = (
            f"SELECT {owner_sql(settings)} AS owner,"  # noqa: S608  # DB_SCHEMA is a plain name
            " current_setting('transaction_read_only')::bool AS is_read_only,"
            " pg_postmaster_start_time() AS started,"
            f" ARRAY(SELECT version_num FROM {version_table(settings)}) AS revisions,"
            f" ARRAY({forbidden_sql(settings)}) AS forbidden"
        )
        self._tables = list(Base.metadata.tables)
        self._when_moved = when_moved
        self._needs_writes = settings.target_session_attrs not in _STANDBY
        self._settings = settings
        self._connection: asyncpg.Connection | None = None
        self.revisions: Revisions | None = None
        """The revisions of this code; until they are known, migrations are `unknown`."""
        self.found: frozenset[str] | None = None
        """The revisions of the database; None until it has answered."""
        self.owner: str | None = None
        """The service that the schema belongs to."""
        self.forbidden: list[str] = []
        """The tables of this service that the role has no right to."""
        self.is_another = False
        """The server that answered last has not started when the one before had.

        Not known of those behind PgBouncer, to which our connections are.
        """
        self._started: datetime | None = None

    async def ask(self) -> None:
        """Raise an error unless PostgreSQL answers, and takes writes."""
        connection = self._connection
        if connection is not None and not connection.is_closed():
            # A new connection may reach the new primary.
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
                row = await connection.fetchrow(self._question, self._tables)
        except asyncpg.UndefinedTableError:  # nobody has ever migrated it
            row = {"owner": None, "revisions": [], "forbidden": [], "is_read_only": False}
        except BaseException:
            connection.terminate()
            raise
        self.found = frozenset(row["revisions"])
        self.owner = owner_in(row["owner"])
        self.forbidden = row["forbidden"]
        if row["is_read_only"] and self._needs_writes:
            connection.terminate()
            self._when_moved()
            raise ReadOnlyServerError
        started, self._started = self._started, row.get("started")
        self.is_another = not self._behind_pgbouncer and started not in {None, self._started}

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
        """The migrations of the database at the last answer."""
        if self.revisions is None or self.found is None:
            return Migrations()
        status, problem = self._compare(self.found, self.revisions)
        return Migrations(
            status=status,
            expected=sorted(self.revisions.heads),
            found=sorted(self.found),
            problem=problem or self._refused(),
        )

    def _compare(
        self, found: AbstractSet[str], revisions: Revisions
    ) -> tuple[Literal["at_head", "ahead", "behind", "foreign"], str]:
        if reason := refusal(self._settings, self.owner):
            return "foreign", reason
        if found == revisions.heads:
            return "at_head", ""
        if found <= revisions.known:
            command = f"{self._settings.slug} migrate".lstrip()
            return "behind", f"the tables are older than this code; run `{command}`"
        return "ahead", ""

    def _refused(self) -> str:
        if not self.forbidden:
            return ""
        role, tables = self._settings.sqlalchemy_url.username, ", ".join(self.forbidden)
        return f"the role {role!r} has no right to {tables}; GRANT it what it needs"
