"""Prometheus metrics of transactions. Savepoints are not counted."""

from prometheus_client import Counter, Histogram

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
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
RETRIES = Counter("db_transaction_retries", "Transactions that ran again, by reason", ["sqlstate"])
GIVEN_UP = Counter(
    "db_transaction_retries_given_up", "Transactions whose last attempt failed too", ["sqlstate"]
)

for _sqlstate in ("40001", "40P01"):  # from the start, or else the first would be no increase
    RETRIES.labels(_sqlstate)
    GIVEN_UP.labels(_sqlstate)
