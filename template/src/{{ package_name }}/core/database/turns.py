"""One process migrates at a time, and lets the transactions of the service pass."""

import asyncio
import random
import time
from collections.abc import Callable
from itertools import count
from typing import Final

import structlog
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from ..config import Settings
from .transactions.retry import LOCK_NOT_AVAILABLE, Retry, sqlstate_of

_log = structlog.get_logger(__name__)

PATIENT: Final = Retry(attempts=30, base=0.2, cap=5, also={LOCK_NOT_AVAILABLE})
"""Patience of a migration with a lock: it waits a moment, lets all others pass, tries again."""


class MigrationBusyError(CommandError):
    """Something is in the way of a migration; the text says what, and what to do."""


async def in_turn(
    connection: AsyncConnection, settings: Settings, work: Callable[[Connection], None]
) -> None:
    """Do the work while no other process does, and again where it conflicts with transactions.

    The lock belongs to the session: it holds on when the work commits, and ends with the process.
    Behind PgBouncer there is no session, so that all of the work is one transaction, which holds
    it. It is asked for again and again, since whoever waited for it in PostgreSQL would hold a
    snapshot, which CREATE INDEX CONCURRENTLY waits for.

    Raises MigrationBusyError where the other process, or a lock on a table, lasts too long.
    """
    is_pooled = settings.db.behind_pgbouncer
    if not is_pooled:
        await _wait_for_lock(connection, settings, "pg_try_advisory_lock")
        await connection.commit()
    for attempt in count(1):
        if is_pooled:
            await _wait_for_lock(connection, settings, "pg_try_advisory_xact_lock")
        try:
            await connection.run_sync(work)
            await connection.commit()
            return
        except DBAPIError as error:
            await connection.rollback()
            delay = delay_after(error, attempt)
        await asyncio.sleep(delay)


def delay_after(error: DBAPIError, attempt: int) -> float:
    """Return the seconds to wait after attempt number `attempt`, or raise what ends the work."""
    if not PATIENT.applies_to(error):
        raise error
    if attempt >= PATIENT.attempts:
        raise MigrationBusyError(
            f"a table to be changed was in use at each of {attempt} tries. Nothing was waited for"
            " longer than DB_MIGRATE_LOCK_TIMEOUT, or all requests would wait as well. End the"
            " transaction that lasts (pg_stat_activity has it, see docs/migrations.md) and run"
            " `migrate` again"
        ) from error
    delay = PATIENT.delay(attempt)
    _log.warning(
        "migration lets others pass",
        attempt=attempt,
        sqlstate=sqlstate_of(error),
        delay_ms=round(delay * 1000),
    )
    return delay


async def _wait_for_lock(connection: AsyncConnection, settings: Settings, function: str) -> None:
    lock = text(f"SELECT {function}(hashtextextended(:name, 0))")
    name = {"name": f"migrate {settings.db_schema}"}
    deadline = time.monotonic() + settings.db.migrate_timeout
    while not await connection.scalar(lock, name):
        await connection.rollback()
        if time.monotonic() > deadline:
            raise MigrationBusyError(
                f"another `migrate` is at work on the schema {settings.db_schema!r} for longer than"
                f" {settings.db.migrate_timeout:g} seconds (DB_MIGRATE_TIMEOUT)"
            )
        await asyncio.sleep(random.uniform(0.1, 0.4))  # noqa: S311  # spreads load, guards nothing
