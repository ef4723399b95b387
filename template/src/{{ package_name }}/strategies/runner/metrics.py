"""Prometheus metrics of running strategies."""

from prometheus_client import Counter, Gauge, Histogram

from ...core.observability.metrics import LONG_BOUNDS

STEPS = Counter("strategy_steps", "Events that strategies have decided on", ["kind", "event"])
LAG = Histogram(
    "strategy_candle_lag_seconds",
    "Time from the close of a candle until its decision was committed",
    buckets=LONG_BOUNDS,
)
ERRORS = Counter("strategy_errors", "Steps that have failed", ["kind"])
LEASES = Counter("strategy_leases", "Leases of strategies, by what became of them", ["change"])
LATE = Gauge(
    "strategy_candles_late",
    "Strategies that wait for a candle for more than two timeframes",
    multiprocess_mode="livesum",
)
# Of the database: each process shows the same.
INSTANCES = Gauge(
    "strategy_instances", "Strategies by status", ["status"], multiprocess_mode="livemostrecent"
)

# From the start, or else the first one would be no increase.
for _change in ("taken", "taken_over", "lost", "released"):
    LEASES.labels(_change)
