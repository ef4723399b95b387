"""Guards of `transactional()`: against failed statements, and against commits inside a block.

Only the sessions and engines that it is used with are listened to. `Database` is listened to from
its start; any other engine or session, such as one for a team's second database, from the first
block on.
"""

from typing import Final
from weakref import WeakSet

from sqlalchemy import Connection, Dialect, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

BLOCKS: Final = "transactional blocks"
"""Key of a session's `info` for the blocks that it is in, the innermost last."""

# PostgreSQL answers COMMIT of a failed transaction with a silent ROLLBACK, which the driver takes
# for success. So a connection that has seen an error is asked once more before its COMMIT.
_failed: WeakSet[Connection] = WeakSet()
# Each engine has a dialect of its own.
_guarded_from_the_start: WeakSet[Dialect] = WeakSet()


class TransactionUsageError(RuntimeError):
    """`transactional()` is used in a way that can't keep its promise: a mistake in the code."""


class GuardedSession(Session):
    """A session that refuses commits inside a block by its class: a listener of each costs time."""


def guard_engine(engine: Engine) -> None:
    """Remember failed statements from now on. Call it before the engine is used."""
    event.listen(engine, "handle_error", _remember_failure)
    _guarded_from_the_start.add(engine.dialect)


async def guard(session: AsyncSession) -> None:
    """Make sure that the session is listened to, and its engine.

    Raises TransactionUsageError for a session without an engine for all that it does: no COMMIT
    holds in several databases at once.
    """
    sync_session = session.sync_session
    if not isinstance(sync_session, GuardedSession):
        event.listen(sync_session, "before_commit", _refuse_inside_a_block)  # once, however often
    try:
        dialect = sync_session.get_bind().dialect
    except UnboundExecutionError as error:
        raise TransactionUsageError(
            "transactional() needs a session with one engine: async_sessionmaker(engine)"
        ) from error
    if dialect in _guarded_from_the_start:
        return
    event.listen(dialect, "handle_error", _remember_failure)
    if session.in_transaction():
        # It may have failed before anybody listened.
        await session.run_sync(lambda sync_session: _failed.add(sync_session.connection()))


def may_have_failed(session: Session) -> bool:
    """Tell whether a statement has failed in the session's transaction, or in one before it."""
    return bool(_failed) and session.connection() in _failed


def _remember_failure(context: ExceptionContext) -> None:
    if context.connection is not None:
        _failed.add(context.connection)


@event.listens_for(GuardedSession, "before_commit")
def _refuse_inside_a_block(session: Session) -> None:
    if session.info.get(BLOCKS) and not session.in_nested_transaction():
        raise TransactionUsageError(
            "commit() was called inside transactional(), which commits at its end"
        )
