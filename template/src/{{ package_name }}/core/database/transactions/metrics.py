"""Prometheus metrics of transactions. Savepoints are not counted."""

from prometheus_client import Counter, Histogram

from ...observability.metrics import LONG_BOUNDS

TRANSACTIONS = Counter(
    "db_transactions",
    "Transactions by how they ended",
    ["outcome"],
)
OUTCOMES = {
    outcome: TRANSACTIONS.labels(outcome)
    for outcome in ("committed", "rolled_back", "conflict", "cancelled", "unknown")
}
DURATION = Histogram(
    "db_transaction_duration_seconds",
    "Seconds from the beginning of a transaction to its end",
    buckets=LONG_BOUNDS,
)
RETRIES = Counter("db_transaction_retries", "Transactions that ran again, by reason", ["sqlstate"])
GIVEN_UP = Counter(
    "db_transaction_retries_given_up", "Transactions whose last attempt failed too", ["sqlstate"]
)

for _sqlstate in ("40001", "40P01"):  # from the start, or else the first would be no increase
    RETRIES.labels(_sqlstate)
    GIVEN_UP.labels(_sqlstate)
