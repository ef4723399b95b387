"""COMMIT, and what is known of it when the connection is lost meanwhile."""

import asyncio
import time
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, InterfaceError, InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from .guards import may_have_failed
from .retry import has_stale_plan, sqlstate_of

_log = structlog.get_logger(__name__)

_VERIFY_SECONDS: Final = 10.0
_VERIFY_PAUSE: Final = 0.05  # seconds


class CommitOutcomeUnknownError(Exception):
    """The connection was lost during COMMIT: the transaction is either whole or not there.

    It must not simply run again, since that may do its work twice. Look up what it should have
    done, or use `verify_commit=True`. The connection's error is the cause.
    """

    def __init__(self) -> None:
        super().__init__(
            "the connection was lost during COMMIT; it may or may not have taken place"
        )


class CommitDidNotHappenError(Exception):
    """The connection was lost during COMMIT, by `reason`, and the server says it rolled back."""

    sqlstate = "08006"  # connection failure

    def __init__(self, reason: BaseException) -> None:
        self.reason = reason


async def commit(session: AsyncSession, *, verify: bool) -> None:
    """Flush and commit. After any error but CommitOutcomeUnknownError nothing is committed.

    With `verify`, a lost connection is followed by a new one that asks what became of the
    transaction: CommitDidNotHappenError if it was rolled back.
    """
    attempt = _Attempt(verify)
    try:
        await session.run_sync(attempt.run)
    except BaseException as error:
        if not attempt.is_sent or is_answer(error):
            raise
        status = None
        if verify:
            # A task, since it needs timeouts.
            asking = asyncio.create_task(_ask_what_happened(session, attempt.transaction_id))
            with suppress(asyncio.CancelledError):
                status = await asking
        if status == "committed":
            return
        if status == "aborted":
            raise CommitDidNotHappenError(error) from error
        raise CommitOutcomeUnknownError from error


class _Attempt:
    def __init__(self, verify: bool) -> None:
        self.verify = verify
        self.is_sent = False
        self.transaction_id: str | None = None

    def run(self, session: Session) -> None:
        session.flush()
        if may_have_failed(session):
            session.execute(text("SELECT 1"))  # DBAPIError 25P02 where COMMIT would roll back
        if self.verify:
            self.transaction_id = session.scalar(text(_TRANSACTION_ID))
        self.is_sent = True
        session.commit()


_LOST = ("08", "57P")  # classes of SQLSTATE: connection, operator's doing


def is_answer(error: BaseException) -> bool:
    """Tell whether it was refused, by the server or before it was sent, and not lost."""
    if isinstance(error, InvalidRequestError | InterfaceError):  # SQLAlchemy's, the driver's own
        return True
    if has_stale_plan(error):  # it comes without a SQLSTATE
        return True
    sqlstate = sqlstate_of(error)
    return sqlstate is not None and not sqlstate.startswith(_LOST)


# --- After a lost connection ---------------------------------------------------------------------

_TRANSACTION_ID = "SELECT pg_current_xact_id_if_assigned()::text"
_STATUS = text("SELECT pg_xact_status(CAST(CAST(:id AS text) AS xid8))")


async def _ask_what_happened(session: AsyncSession, transaction_id: str | None) -> str | None:
    """Return "committed", "aborted", or None if the server can't be asked or does not know."""
    if transaction_id is None:  # it has written nothing
        return "committed"
    await session.invalidate()
    deadline = time.monotonic() + _VERIFY_SECONDS
    status: str | None = "in progress"  # until the server notices that we are gone
    while status == "in progress" and time.monotonic() < deadline:
        await asyncio.sleep(_VERIFY_PAUSE)
        try:
            status = await session.run_sync(_status_of, transaction_id)
        except (OSError, TimeoutError) as error:
            _log.warning("commit not verified yet", error=repr(error))
        except DBAPIError as error:
            if sqlstate_of(error) == "22023":  # "in the future": another server, after a failover
                return None
            _log.warning("commit not verified yet", error=repr(error.orig))
    _log.warning("commit verified", status=status)
    return status


def _status_of(session: Session, transaction_id: str) -> str | None:
    with session.get_bind().engine.connect() as connection:
        status: str | None = connection.scalar(_STATUS, {"id": transaction_id})
        return status
