"""Wake-ups: what waits in this process, and in other replicas, looks at once and not at its next turn."""

from uuid import UUID

from ..core.database.transactions import Source, after_commit


def wake_account(source: Source, account_id: UUID) -> None:
    """Wake the streams of the account once the transaction is committed."""


def wake_dispatcher(source: Source) -> None:
    """Wake the dispatchers once the transaction is committed."""
