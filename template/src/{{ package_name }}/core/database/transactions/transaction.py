"""The outermost `transactional()` block."""

import asyncio
import time
from asyncio import CancelledError
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from ...errors import TradingException
from ...process.callers import refuse_if_unwanted
from .blocks import Block
from .callbacks import run_callbacks
from .cancellation import to_the_end
from .commit import CommitDidNotHappenError, CommitOutcomeUnknownError, commit
from .guards import TransactionUsageError, guard
from .metrics import DURATION, OUTCOMES
from .options import Options
from .retry import Retry, RetryableTransactionError, note_commit, sqlstate_of

_log = structlog.get_logger(__name__)


class Transaction(Block):
    """The outermost block: it commits, or rolls back, and says how it ended."""

    def __init__(self, session: AsyncSession, options: Options) -> None:
        super().__init__(session)
        self._options = options
        self._is_committed = False

    async def _begin(self) -> None:
        refuse_if_unwanted()
        session, characteristics = self.session, self._characteristics()
        self._started = time.perf_counter()
        await guard(session)
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
        options = self._options
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
            refuse_if_unwanted()  # it may have waited long, for a lock
        except TradingException as refusal:
            await self._undo(refusal)
            raise
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
            await commit(self.session, verify=self._options.verify_commit)
        except CommitOutcomeUnknownError as error:
            self._note("unknown")
            _log.error("commit outcome unknown", exc_info=error)
            await self._roll_back()
            raise
        except CommitDidNotHappenError as error:
            await self._roll_back()
            self._note("rolled_back")
            if self._options.retry:
                raise self._conflict(error.sqlstate) from error.reason
            raise error.reason from None
        except BaseException as error:
            await self._roll_back_because(error)
            raise
        self._is_committed = True
        self._note("committed")
        if not self._options.read_only:
            note_commit()
        if self.callbacks:
            # A task, since they may need timeouts.
            await asyncio.create_task(run_callbacks(self.callbacks))

    async def _roll_back_because(self, error: BaseException) -> None:
        """Roll back, and raise RetryableTransactionError if `error` is a reason to try again."""
        await self._roll_back()
        retry = self._options.retry
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
        return RetryableTransactionError(sqlstate, 1, retry=self._options.retry)

    def _note(self, outcome: str) -> None:
        OUTCOMES[outcome].inc()
        DURATION.observe(time.perf_counter() - self._started)
