"""Prometheus metrics of the pools, by the names that OpenTelemetry gives them.

They are right with several worker processes: gauges are those of the living workers, summed up.
"""

from prometheus_client import Counter, Gauge, Histogram

from ..observability.metrics import LONG_BOUNDS

_POOL = "db_client_connection_pool_name"

COUNT = Gauge(
    "db_client_connection_count",
    "Open connections by state, idle or used",
    ["state", _POOL],
    multiprocess_mode="livesum",
)
MAX = Gauge(
    "db_client_connection_max",
    "Connections there may be",
    [_POOL],
    multiprocess_mode="livesum",
)
IDLE_MAX = Gauge(
    "db_client_connection_idle_max",
    "Idle connections there may be",
    [_POOL],
    multiprocess_mode="livesum",
)
IDLE_MIN = Gauge(
    "db_client_connection_idle_min",
    "Idle connections there are at least",
    [_POOL],
    multiprocess_mode="livesum",
)
PENDING = Gauge(
    "db_client_connection_pending_requests",
    "Callers that wait for a connection",
    [_POOL],
    multiprocess_mode="livesum",
)
TIMEOUTS = Counter(
    "db_client_connection_timeouts",
    "Waits for a connection that were given up",
    [_POOL],
)
CREATION = Histogram(
    "db_client_connection_create_time_seconds",
    "Seconds to open a connection",
    [_POOL],
    buckets=LONG_BOUNDS,
)
WAIT = Histogram(
    "db_client_connection_wait_time_seconds",
    "Seconds to get a connection from the pool",
    [_POOL],
    buckets=LONG_BOUNDS,
)
USE = Histogram(
    "db_client_connection_use_time_seconds",
    "Seconds from taking a connection to giving it back",
    [_POOL],
    buckets=LONG_BOUNDS,
)
LEAKS = Counter(
    "db_client_connection_leaks",
    "Connections that were not given back, by how it showed: held, orphaned or collected",
    [_POOL, "tier"],
)
