"""The answers to errors that are no TradingException: their kind, and no more."""

from typing import Any, NamedTuple

import httpx
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ..database.transactions.commit import CommitOutcomeUnknownError
from ..database.transactions.retry import (
    DEADLOCK_DETECTED,
    LOCK_NOT_AVAILABLE,
    SERIALIZATION_FAILURE,
    RetryableTransactionError,
    has_stale_plan,
    sqlstate_of,
)
from ..errors.exceptions import ErrorCode


class Answer(NamedTuple):
    """Code and text for the client; `advice` is for the log, and says how to mend it."""

    code: ErrorCode
    detail: str
    advice: str = ""


_UNIQUE, _EXCLUSION, _FOREIGN_KEY = "23505", "23P01", "23503"
_RESTRICT, _CHECK, _NOT_NULL = "23001", "23514", "23502"

_UNREACHABLE = "A server it needs can't be reached; try again"
CONTENDED = "Too many requests want to change the same data; try again"

_UNAVAILABLE = Answer(ErrorCode.SERVICE_UNAVAILABLE, _UNREACHABLE)
_CONTENTION = Answer(ErrorCode.SERVICE_UNAVAILABLE, CONTENDED)
_GIVEN_UP = Answer(ErrorCode.DEADLINE_EXCEEDED, "It took too long and was given up")
_OLD_TABLES = Answer(
    ErrorCode.SERVICE_UNAVAILABLE,
    "The service is not set up yet; try again",
    "the tables are missing, or older than this code: run `migrate`",
)
_NEW_TABLES = Answer(ErrorCode.SERVICE_UNAVAILABLE, "Its tables have just changed; try again")
_UNKNOWN = Answer(
    ErrorCode.INTERNAL_ERROR, "Something went wrong; the request id finds it in the log"
)

_ANSWERS: list[tuple[type[Exception] | str, Answer]] = [
    # The class of an exception, or what the SQLSTATE of a database's error begins with.
    (RetryableTransactionError, _CONTENTION),
    (SERIALIZATION_FAILURE, _CONTENTION),
    (DEADLOCK_DETECTED, _CONTENTION),
    (LOCK_NOT_AVAILABLE, _CONTENTION),
    # No 503, which would have clients and proxies send it again by themselves.
    (
        CommitOutcomeUnknownError,
        Answer(
            ErrorCode.OUTCOME_UNKNOWN, "It may have been stored or not; look whether it is there"
        ),
    ),
    # 409: it may be right at another time. 422: it is wrong as it is.
    (_UNIQUE, Answer(ErrorCode.CONFLICT, "It exists already")),
    (_EXCLUSION, Answer(ErrorCode.CONFLICT, "It overlaps with what exists already")),
    (_RESTRICT, Answer(ErrorCode.CONFLICT, "It contradicts what is stored already")),
    (_FOREIGN_KEY, Answer(ErrorCode.REFERENCE_NOT_FOUND, "What it refers to does not exist")),
    ("23", Answer(ErrorCode.CONSTRAINT_VIOLATED, "A value is missing or out of its range")),
    # Connection, resources, an operator's doing, the machine's; credentials and no such database
    # where they are PgBouncer's, which tells when the first statement comes.
    ("08", _UNAVAILABLE),
    ("28", _UNAVAILABLE),
    ("3D", _UNAVAILABLE),
    ("53", _UNAVAILABLE),
    ("57P", _UNAVAILABLE),
    ("58", _UNAVAILABLE),
    ("57014", _GIVEN_UP),
    # No such table, column or schema.
    ("42P01", _OLD_TABLES),
    ("42703", _OLD_TABLES),
    ("3F000", _OLD_TABLES),
    (
        "42501",
        Answer(
            ErrorCode.SERVICE_UNAVAILABLE,
            "The service is not set up yet; try again",
            "the role of DB_USER lacks a right: grant it, or migrate as the role that serves",
        ),
    ),
    (
        PoolTimeoutError,
        Answer(ErrorCode.SERVICE_UNAVAILABLE, "Every connection is in use; try again"),
    ),
    (TimeoutError, _GIVEN_UP),
    (ConnectionError, _UNAVAILABLE),
    (RedisConnectionError, _UNAVAILABLE),
    (RedisTimeoutError, _UNAVAILABLE),
    (httpx.TimeoutException, Answer(ErrorCode.DEADLINE_EXCEEDED, "Another service took too long")),
    (httpx.TransportError, _UNAVAILABLE),
]


def answer_to(error: Exception) -> Answer:
    """Return what to tell the client of this error."""
    if has_stale_plan(error):  # whose SQLSTATE others have, too
        return _NEW_TABLES
    sqlstate = _sqlstate(error)
    for kind, answer in _ANSWERS:
        if sqlstate.startswith(kind) if isinstance(kind, str) else isinstance(error, kind):
            return answer
    return _UNKNOWN


def constraint_of(error: DBAPIError) -> dict[str, Any]:
    """Return the kind and the name of the constraint that refused a statement; no values.

    A column that must not be NULL is named in its place.
    """
    kind = _KINDS.get(_sqlstate(error))
    if kind is None:
        return {}
    cause = getattr(error.orig, "__cause__", None)  # asyncpg's own
    named = {
        "constraint": getattr(cause, "constraint_name", None),
        "column": getattr(cause, "column_name", None),
    }
    return {"kind": kind, **{what: name for what, name in named.items() if name}}


_KINDS = {
    _UNIQUE: "unique",
    _EXCLUSION: "exclusion",
    _FOREIGN_KEY: "foreign_key",
    _RESTRICT: "foreign_key",
    _CHECK: "check",
    _NOT_NULL: "not_null",
}


def _sqlstate(error: Exception) -> str:
    """Return PostgreSQL's code, "" where there is none, with two meanings made plain."""
    if not isinstance(error, DBAPIError):
        return ""
    if error.connection_invalidated:
        return "08000"
    sqlstate = sqlstate_of(error) or ""
    # One code for a reference to what is missing, and for the removal of what is referred to. (A
    # constraint that is deferred fails at COMMIT, which does not say.)
    statement = (error.statement or "").lstrip()[:6].upper()
    if sqlstate == _FOREIGN_KEY and statement not in ("INSERT", "UPDATE"):
        return _RESTRICT
    return sqlstate
