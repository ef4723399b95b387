"""Failures of single accounts: work that goes through all of them goes on with the others."""

from uuid import UUID

import structlog

from ..core.database.losses import is_outage

_log = structlog.get_logger(__name__)


class Failures:
    """Logs what goes wrong with an account, once for as long as it is the same."""

    def __init__(self, work: str) -> None:
        self._work = work
        self._known: dict[UUID, str] = {}

    def note(self, account_id: UUID, error: Exception) -> None:
        """Log the error. Raises it where it is not the account's: PostgreSQL is away."""
        if is_outage(error):
            raise error
        if self._known.get(account_id) != (text := repr(error)):
            self._known[account_id] = text
            facts = {"work": self._work, "account": str(account_id)}
            _log.error("work on an account failed", **facts, exc_info=error)

    def forget(self, account_id: UUID) -> None:
        """Note that the account's work was done."""
        self._known.pop(account_id, None)
