"""The options of `transactional()`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from .retry import Retry


class IsolationLevel(StrEnum):
    """PostgreSQL's isolation levels. It has no other READ UNCOMMITTED than READ COMMITTED."""

    READ_COMMITTED = "READ COMMITTED"
    REPEATABLE_READ = "REPEATABLE READ"
    SERIALIZABLE = "SERIALIZABLE"

    @classmethod
    def _missing_(cls, value: object) -> "IsolationLevel | None":
        """`serializable` and `repeatable_read` are understood too."""
        return cls.__members__.get(str(value).upper().replace(" ", "_"))


Nested: TypeAlias = Literal["savepoint", "join"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one block."""

    isolation_level: IsolationLevel | None = None
    read_only: bool = False
    retry: Retry | None = None
    nested: Nested = "savepoint"
    durable: bool = False
    verify_commit: bool = False


def options_of(
    *,
    isolation_level: IsolationLevel | str | None = None,
    read_only: bool = False,
    retry_on_deadlock: bool | Retry = False,
    nested: Nested = "savepoint",
    durable: bool = False,
    verify_commit: bool = False,
) -> Options:
    """Return the options that were asked for. Raises ValueError for what there is not."""
    if nested not in ("savepoint", "join"):
        raise ValueError(f'nested must be "savepoint" or "join", not {nested!r}')
    return Options(
        isolation_level=IsolationLevel(isolation_level) if isolation_level is not None else None,
        read_only=read_only,
        retry=Retry() if retry_on_deadlock is True else retry_on_deadlock or None,
        nested=nested,
        durable=durable,
        verify_commit=verify_commit,
    )
