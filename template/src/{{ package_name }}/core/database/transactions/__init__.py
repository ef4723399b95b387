"""Work that happens whole or not at all, and is repeated when PostgreSQL asks for it.

async with transactional(session) as tx: ...            # one attempt
@transactional(sessions, retry_on_deadlock=True)        # runs again after a conflict
await run_in_transaction(sessions, transfer, a, b)      # likewise, and returns the result
"""

from .commit import CommitOutcomeUnknownError
from .guards import TransactionUsageError
from .options import IsolationLevel
from .retry import Retry, RetryableTransactionError
from .transactional import after_commit, run_in_transaction, transactional

__all__ = [
    "CommitOutcomeUnknownError",
    "IsolationLevel",
    "Retry",
    "RetryableTransactionError",
    "TransactionUsageError",
    "after_commit",
    "run_in_transaction",
    "transactional",
]
