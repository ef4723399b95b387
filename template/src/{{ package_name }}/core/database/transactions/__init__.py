"""Work that happens whole or not at all, and is repeated when PostgreSQL asks for it.

async with transactional(session) as tx: ...            # one attempt
@transactional(sessions, retry_on_deadlock=True)        # runs again after a conflict
await run_in_transaction(sessions, transfer, a, b)      # likewise, and returns the result
await execute_single(session, STATEMENT, values)        # likewise: one statement, one message
"""

from .commit import CommitOutcomeUnknownError
from .guards import TransactionUsageError
from .options import IsolationLevel
from .prepared import Prepared
from .retry import Retry, RetryableTransactionError
from .single import execute_single
from .transactional import Source, after_commit, run_in_transaction, session_of, transactional

__all__ = [
    "CommitOutcomeUnknownError",
    "IsolationLevel",
    "Prepared",
    "Retry",
    "RetryableTransactionError",
    "Source",
    "TransactionUsageError",
    "after_commit",
    "execute_single",
    "run_in_transaction",
    "session_of",
    "transactional",
]
