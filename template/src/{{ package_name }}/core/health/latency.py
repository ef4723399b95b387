"""The latency of Redis, for Prometheus and as an alert."""

from prometheus_client import Histogram

from ..alerts.alerts import Alert, Alerts
from ..observability.metrics import BOUNDS

_PING = Histogram(
    "redis_ping_duration_seconds",
    "Seconds Redis took to answer the PING of a health check",
    buckets=BOUNDS,
)
_KEY = "latency:redis"


class RedisLatency:
    """Tells that Redis is slow, after two PINGs in a row of at least `slow` seconds."""

    def __init__(self, slow: float, alerts: Alerts) -> None:
        self._slow = slow
        self._alerts = alerts
        self._slow_pings = 0
        """In a row."""

    def note(self, seconds: float) -> None:
        """Note that a PING was answered in so many seconds."""
        _PING.observe(seconds)
        details = {"ping": round(seconds, 6)}
        if seconds >= self._slow:
            self._slow_pings += 1
            if self._slow_pings == 2:
                self._alerts.fire(Alert(_KEY, "Redis answers slowly", details))
            return
        if self._slow_pings > 1:
            self._alerts.resolve(_KEY, "Redis is as fast as before", details)
        self._slow_pings = 0
