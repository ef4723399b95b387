"""Retries: when a transaction runs again, and how long it waits before it does."""

import asyncio
import random
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, Self

import structlog
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError

from .metrics import GIVEN_UP, RETRIES

_log = structlog.get_logger(__name__)

SERIALIZATION_FAILURE: Final = "40001"
DEADLOCK_DETECTED: Final = "40P01"
LOCK_NOT_AVAILABLE: Final = "55P03"
# A statement that took too long will again; a failed transaction hides the error that failed it.
_NEVER: Final = {"57014": "a cancelled or timed-out statement", "25P02": "a failed transaction"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Rules for a transaction that conflicts: how often it runs, how long it waits in between.

    Before attempt n + 1 it waits a random time of at most `base * 2 ** (n - 1)` seconds, `cap` at
    most ("full jitter"): without it, those that collided would collide again.

    40001 (serialization failure), 40P01 (deadlock) and a plan that a migration has made invalid
    are always retried; `also` names further SQLSTATEs, such as 55P03 (lock not available), 23505
    (unique violation) and 23P01 (exclusion violation) where the next attempt looks first and finds
    the row. Raises ValueError for 57014 and 25P02, which no repetition mends.
    """

    attempts: int = 10
    base: float = 0.01
    cap: float = 1.0
    also: frozenset[str] | set[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, not {self.attempts}")
        if not 0 <= self.base <= self.cap:
            raise ValueError(f"0 <= base <= cap must hold, not base {self.base}, cap {self.cap}")
        for sqlstate in sorted(self.also):
            if sqlstate in _NEVER:
                raise ValueError(f"{sqlstate}, {_NEVER[sqlstate]}, can't be retried")

    def applies_to(self, error: BaseException) -> bool:
        """Tell whether the transaction that ended with `error` may succeed if it runs again."""
        sqlstate = sqlstate_of(error)
        return (
            sqlstate in (SERIALIZATION_FAILURE, DEADLOCK_DETECTED)
            or sqlstate in self.also
            or has_stale_plan(error)
        )

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after attempt number `attempt`, which counts from 1."""
        longest = min(self.cap, self.base * 2.0 ** min(attempt - 1, 64))
        return random.uniform(0, longest)  # noqa: S311  # spreads load, guards nothing


class RetryableTransactionError(Exception):
    """The transaction was rolled back by a conflict; run again, it may succeed.

    `sqlstate` is PostgreSQL's reason, `attempts` how often it ran. The database's error is the
    cause. `final`: whoever could run it again has given up.
    """

    def __init__(
        self, sqlstate: str, attempts: int, *, retry: Retry | None = None, final: bool = False
    ) -> None:
        times = "once" if attempts == 1 else f"{attempts} times"
        super().__init__(f"the transaction ran {times} and ended with SQLSTATE {sqlstate}")
        self.sqlstate = sqlstate
        self.attempts = attempts
        self.retry = retry or Retry()
        self.final = final


def sqlstate_of(error: BaseException) -> str | None:
    """Return PostgreSQL's code for the error; None if it is not one of PostgreSQL's."""
    code = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return code if isinstance(code, str) else None


def has_stale_plan(error: BaseException) -> bool:
    """Tell whether a prepared statement was refused since a column has another type now.

    It did nothing. The driver prepares all statements anew after the first such error.
    """
    kind = AsyncAdapt_asyncpg_dbapi.InvalidCachedStatementError
    return isinstance(error, DBAPIError) and isinstance(error.orig, kind)


async def before_next_attempt(error: RetryableTransactionError, attempt: int) -> None:
    """Wait as `error.retry` says, or, after its last attempt, raise the error that tells so."""
    if attempt >= error.retry.attempts:
        raise given_up(error, attempt) from error.__cause__
    delay = error.retry.delay(attempt)
    RETRIES.labels(error.sqlstate).inc()
    _log.warning(
        "transaction retried",
        attempt=attempt,
        sqlstate=error.sqlstate,
        delay_ms=round(delay * 1000, 1),
    )
    await asyncio.sleep(delay)


def given_up(error: RetryableTransactionError, attempt: int) -> RetryableTransactionError:
    """Count, log and return the error for the caller after `attempt`, the last attempt."""
    GIVEN_UP.labels(error.sqlstate).inc()
    _log.error("transaction given up", attempt=attempt, sqlstate=error.sqlstate)
    return RetryableTransactionError(error.sqlstate, attempt, retry=error.retry, final=True)


class RepeatableWork:
    """Work that its caller can run again from its start: `with RepeatableWork() as work:`.

    A conflict of a transaction inside is left to that caller, as RetryableTransactionError.
    """

    def __init__(self) -> None:
        self.has_committed = False
        """True once a transaction inside is committed: running again would do its work twice."""

    def __enter__(self) -> Self:
        self._token = _repeatable_work.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _repeatable_work.reset(self._token)


_repeatable_work: ContextVar[RepeatableWork | None] = ContextVar("repeatable_work", default=None)


def note_commit() -> None:
    """Note that a transaction is committed, for whoever could run the work around it again."""
    work = _repeatable_work.get()
    if work is not None:
        work.has_committed = True


def is_left_to_the_caller(error: RetryableTransactionError) -> bool:
    """Tell whether `error` goes to a caller that can run the work again, and has not given up."""
    return _repeatable_work.get() is not None and not error.final
