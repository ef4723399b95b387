"""Prometheus metrics of what is let in, and what is refused at the door."""

from prometheus_client import Counter, Gauge

REASONS = ("overload", "account", "key", "client", "unknown_keys")

SHED = Counter(
    "http_requests_shed",
    "Requests that were refused before any work was done for them, by reason",
    ["reason"],
)
for _reason in REASONS:
    # From the start, or else the first would be no increase.
    SHED.labels(_reason)

WAITING = Gauge(
    "http_requests_waiting",
    "Requests that wait until others are done",
    multiprocess_mode="livesum",
)
KEYS_REFUSED = Counter("api_keys_refused", "API keys that are unknown or revoked")
