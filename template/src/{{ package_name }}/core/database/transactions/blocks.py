"""The three kinds of `transactional()` block: a transaction, a savepoint, part of another block."""

import asyncio
import time
from asyncio import CancelledError
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import structlog
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from .callbacks import Callback, run_callbacks
from .cancellation import to_the_end
from .commit import CommitDidNotHappenError, CommitOutcomeUnknownError, commit
from .metrics import DURATION, OUTCOMES
from .retry import Retry, RetryableTransactionError, current_replay, sqlstate_of

_log = structlog.get_logger(__name__)

_INNERMOST = "innermost transactional block"


class TransactionUsageError(RuntimeError):
    """`transactional()` is used in a way that can't keep its promise: a mistake in the code."""


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


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for with `transactional()`."""

    isolation_level: IsolationLevel | None = None
    read_only: bool = False
    retry: Retry | None = None
    nested: Nested = "savepoint"
    durable: bool = False
    verify_commit: bool = False


class Block:
    """An open block of a session. `callbacks` are run once its work is committed."""

    def __init__(self, session: AsyncSession, outer: "Block | None") -> None:
        self.session = session
        self.outer = outer
        self.callbacks: list[Callback] = []
        self.failed_part: BaseException | None = None

    async def begin(self) -> None:
        """Begin the block and make it the innermost one of its session."""
        await self._begin()
        self.session.info[_INNERMOST] = self

    async def end(self, error: BaseException | None) -> None:
        """Keep the block's work, or undo it because of `error`, which the caller then raises."""
        if self.outer is None:
            self.session.info.pop(_INNERMOST, None)
        else:
            self.session.info[_INNERMOST] = self.outer
        if error is not None:
            await self._undo(error)
        elif self.failed_part is not None:
            refusal = TransactionUsageError(
                "a block that joined this one has failed, so that this one can't be kept; "
                "use a savepoint for what may fail"
            )
            await self._undo(refusal)
            raise refusal from self.failed_part
        else:
            await self._keep()

    async def _begin(self) -> None:
        raise NotImplementedError

    async def _keep(self) -> None:
        raise NotImplementedError

    async def _undo(self, error: BaseException) -> None:
        raise NotImplementedError


def innermost_block(session: AsyncSession) -> Block | None:
    """The block that the session is in, if any."""
    return session.info.get(_INNERMOST)


def open_block(session: AsyncSession, options: Options) -> Block:
    """The block for `options`, not yet begun. Raises TransactionUsageError."""
    outer = innermost_block(session)
    if outer is None:
        return Transaction(session, options)
    if options.durable:
        raise TransactionUsageError("a durable transaction can't be inside another")
    if options.retry:
        raise TransactionUsageError(
            "only the outermost transactional() can be retried: PostgreSQL rolls back all of it"
        )
    if options.isolation_level or options.read_only:
        raise TransactionUsageError(
            "isolation_level and read_only belong to the outermost transactional()"
        )
    if options.nested == "join":
        return Part(session, outer)
    return Savepoint(session, outer)


class Transaction(Block):
    """The outermost block."""

    def __init__(self, session: AsyncSession, options: Options) -> None:
        super().__init__(session, outer=None)
        self.options = options
        self._is_committed = False

    async def _begin(self) -> None:
        session, characteristics = self.session, self._characteristics()
        self._started = time.perf_counter()
        if characteristics:
            if session.in_transaction():
                raise TransactionUsageError(
                    "isolation_level and read_only must be asked for before the session's first "
                    "statement"
                )
            try:
                await session.run_sync(Session.connection, execution_options=characteristics)
            except BaseException:
                await to_the_end(self._roll_back())
                raise
        elif not session.in_transaction():
            session.sync_session.begin()
        self._root = session.sync_session.get_transaction()

    def _characteristics(self) -> dict[str, Any]:
        options = self.options
        characteristics: dict[str, Any] = {}
        if options.isolation_level:
            characteristics["isolation_level"] = str(options.isolation_level)
        if options.read_only:
            characteristics["postgresql_readonly"] = True
        return characteristics

    async def _keep(self) -> None:
        if self.session.sync_session.get_transaction() is not self._root:
            refusal = TransactionUsageError("rollback() or close() was called inside the block")
            await self._undo(refusal)
            raise refusal
        try:
            await to_the_end(self._commit())
        except CancelledError as cancelled:
            if self._is_committed:
                cancelled.add_note("The transaction has been committed.")
                _log.warning("cancelled during COMMIT", outcome="committed")
            raise

    async def _undo(self, error: BaseException) -> None:
        await to_the_end(self._roll_back_because(error))

    async def _commit(self) -> None:
        try:
            await commit(self.session, verify=self.options.verify_commit)
        except CommitOutcomeUnknownError as error:
            self._note("unknown")
            _log.error("commit outcome unknown", exc_info=error)
            await self._roll_back()
            raise
        except CommitDidNotHappenError as error:
            await self._roll_back()
            self._note("rolled_back")
            if self.options.retry:
                raise self._conflict(error.sqlstate) from error.reason
            raise error.reason from None
        except BaseException as error:
            await self._roll_back_because(error)
            raise
        self._is_committed = True
        self._note("committed")
        replay = current_replay.get()
        if replay is not None and not self.options.read_only:
            replay.has_committed = True
        if self.callbacks:
            # A task, since they may need timeouts.
            await asyncio.create_task(run_callbacks(self.callbacks))

    async def _roll_back_because(self, error: BaseException) -> None:
        """Roll back, and raise RetryableTransactionError if `error` is a reason to try again."""
        await self._roll_back()
        retry = self.options.retry
        if (retry or Retry()).applies_to(error):
            self._note("conflict")
        else:
            self._note("cancelled" if isinstance(error, CancelledError) else "rolled_back")
        if retry and retry.applies_to(error):
            raise self._conflict(sqlstate_of(error) or "") from error

    async def _roll_back(self) -> None:
        try:
            await self.session.rollback()
        except Exception as error:
            # The block's own error says more. Without its connection nothing can stay open.
            _log.warning("rollback failed", error=repr(error))
            await self.session.invalidate()

    def _conflict(self, sqlstate: str) -> RetryableTransactionError:
        return RetryableTransactionError(sqlstate, 1, retry=self.options.retry)

    def _note(self, outcome: str) -> None:
        OUTCOMES[outcome].inc()
        DURATION.observe(time.perf_counter() - self._started)


class _Inner(Block):
    def __init__(self, session: AsyncSession, outer: Block) -> None:
        super().__init__(session, outer)
        self._around = outer


class Savepoint(_Inner):
    """An inner block that can fail by itself."""

    async def _begin(self) -> None:
        self._savepoint = await self.session.begin_nested()

    async def _keep(self) -> None:
        try:
            await self._savepoint.commit()
        except BaseException as error:
            await self._undo(error)
            raise
        self._around.callbacks += self.callbacks

    async def _undo(self, error: BaseException) -> None:
        # Unlike rollback() it accepts that a lost connection has ended everything already.
        await to_the_end(self._savepoint.__aexit__(type(error), error, None))


class Part(_Inner):
    """An inner block that fails together with the one around it."""

    async def _begin(self) -> None:
        pass

    async def _keep(self) -> None:
        self._around.callbacks += self.callbacks

    async def _undo(self, error: BaseException) -> None:
        self._around.failed_part = self.failed_part or error


@event.listens_for(Session, "before_commit")
def _refuse_commit_inside(session: Session) -> None:
    if _INNERMOST in session.info and not session.in_nested_transaction():
        raise TransactionUsageError(
            "commit() was called inside transactional(), which commits at its end"
        )
