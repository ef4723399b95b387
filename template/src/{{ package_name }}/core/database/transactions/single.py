"""A transaction of one statement, which begins and ends with it: one message, not three."""

import time
from asyncio import CancelledError
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import structlog
from sqlalchemy import Engine, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.util import greenlet_spawn

from ...process.callers import wanted
from .commit import CommitOutcomeUnknownError, is_answer
from .metrics import DURATION, OUTCOMES
from .prepared import Prepared, connect, is_heard
from .retry import (
    Retry,
    RetryableTransactionError,
    before_next_attempt,
    note_commit,
    sqlstate_of,
)
from .transactional import Source, info_of, transactional

_log = structlog.get_logger(__name__)

AUTOCOMMIT: Final = "autocommit engine"
"""Key of the engine in a session's `info` whose statements are transactions by themselves."""

Rows = Sequence[Row[Any]]


async def execute_single(
    source: Source, statement: Executable | Prepared, values: dict[str, Any]
) -> Rows:
    """Execute a statement in a transaction of its own, and return its rows.

    It runs again after a conflict, as with `retry_on_deadlock=True`. Where `source` is a session
    that is in a transaction already, it is part of that, in a savepoint, as in `transactional()`.

    It is cancelled when nobody waits for it any more, as the client of the current request.

    Raises CommitOutcomeUnknownError if the connection is lost before the answer has come, or takes
    too long.
    """
    is_part = isinstance(source, AsyncSession) and source.in_transaction()
    engine: Engine | None = info_of(source).get(AUTOCOMMIT)
    if is_part or engine is None:

        @transactional(source, retry_on_deadlock=not is_part)
        async def execute(tx: AsyncSession) -> Rows:
            return (await tx.execute(_plain(statement), values)).all()

        return await execute()
    for attempt in count(1):
        started = time.perf_counter()
        # The driver prepares a statement anew only for SQLAlchemy's own way, where a plan is stale.
        single = _Single(statement if attempt == 1 else _plain(statement), values)
        try:
            async with wanted():
                rows = await greenlet_spawn(single.run, engine)
        except (DBAPIError, OSError) as error:  # such as a TimeoutError
            if single.is_sent and not is_answer(error):
                _note("unknown", started)
                _log.error("commit outcome unknown", exc_info=error)
                raise CommitOutcomeUnknownError from error
            if not Retry().applies_to(error):
                _note("rolled_back", started)
                raise
            _note("conflict", started)
            conflict = RetryableTransactionError(sqlstate_of(error) or "", attempt)
            conflict.__cause__ = error
            await before_next_attempt(conflict, attempt)
        except BaseException as error:
            _note("cancelled" if isinstance(error, CancelledError) else "rolled_back", started)
            raise
        else:
            _note("committed", started)
            note_commit()
            return rows
    raise AssertionError("unreachable")


class _Single:
    def __init__(self, statement: Executable | Prepared, values: dict[str, Any]) -> None:
        self._statement = statement
        self._values = values
        self.is_sent = False

    def run(self, engine: Engine) -> Rows:
        statement = self._statement
        if isinstance(statement, Prepared) and not is_heard(engine):
            compiled = statement.compiled(engine)
            borrowed = connect(engine)
            self.is_sent = True
            return compiled.execute(engine, borrowed, self._values)
        with engine.connect() as connection:
            self.is_sent = True
            return connection.execute(_plain(statement), self._values).all()


def _plain(statement: Executable | Prepared) -> Executable:
    return statement.statement if isinstance(statement, Prepared) else statement


def _note(outcome: str, started: float) -> None:
    OUTCOMES[outcome].inc()
    DURATION.observe(time.perf_counter() - started)
