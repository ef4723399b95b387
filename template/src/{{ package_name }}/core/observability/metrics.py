"""Prometheus metrics of HTTP requests, of health, and what runs here."""

import os
import platform
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import structlog
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.values import MultiProcessValue

from .shared_metrics import VARIABLE as SHARED_FOLDER

_log = structlog.get_logger(__name__)

# A third of all series, which no rule and no panel reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

# What the histograms of durations tell apart, in seconds. The cheapest routes, and transactions,
# take half a millisecond.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
# The same for transactions and connections, which may last.
LONG_BOUNDS = (*BOUNDS, 30, 60)

DURATION = Histogram(
    "http_request_duration_seconds",
    "Seconds from request to last byte, by route template",
    ["method", "route", "status"],
    buckets=BOUNDS,
)
IN_PROGRESS = Gauge(
    "http_requests_in_progress",
    "Requests whose last byte is not sent yet",
    multiprocess_mode="livesum",
)
BUILD_INFO = Gauge(
    "service_build_info",
    "Always 1; the labels tell what runs",
    ["version", "python_version", "environment"],
    multiprocess_mode="livemax",
)
COMPONENT_UP = Gauge(
    "health_component_up",
    "1 if the last check of the component found it working, else 0",
    ["component", "required"],
    multiprocess_mode="livemin",
)
CHECK_DURATION = Histogram(
    "health_check_duration_seconds",
    "Seconds a check of the component took",
    ["component"],
    buckets=BOUNDS,
)
_DEATHS = "worker_deaths"
_OF_DEATHS = "Worker processes that ended without being asked to, and were replaced"
Counter(_DEATHS, _OF_DEATHS)  # for whom no worker has died yet
CONNECTIONS_EVICTED = Counter(
    "http_connections_evicted", "Connections that waited for their client, closed to make room"
)
ACCEPT_FAILURES = Counter("http_accept_failures", "Times that no connection could be accepted")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def exposition(accept: str) -> tuple[bytes, str]:
    """Return every metric, and the media type, in the format that a scraper accepts.

    With several worker processes it is the sum of all of them. It takes milliseconds then.
    """
    encode, media_type = choose_encoder(accept)
    return encode(_registry()), media_type


def _registry() -> CollectorRegistry:
    folder = os.environ.get(SHARED_FOLDER)
    if not folder:
        return REGISTRY
    # Where there are several workers, `run_server` has set it: the sum of all of them.
    _forget_dead_workers(folder)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _forget_dead_workers(folder: str) -> None:
    """Drop what a worker that has ended was doing; what it has counted stays counted."""
    for path in Path(folder).glob("gauge_live*.db"):
        pid = int(path.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was quicker
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            pass  # it runs, as another user


def note_build(version: str, environment: str) -> None:
    """Tell what runs."""
    BUILD_INFO.labels(version, platform.python_version(), environment).set(1)


def note_workers(count: int) -> None:
    """Warn that the metrics are incomplete where several workers have no folder to share them."""
    if count > 1 and SHARED_FOLDER not in os.environ:
        _log.warning(
            "each worker process shows metrics of its own only: start several with `serve`, or set "
            f"{SHARED_FOLDER} to an empty folder"
        )


def count_death() -> None:
    """Count a worker that died, in the process that looks after them: the workers show it."""
    make = _values_in_the_folder()
    make("counter", _DEATHS, f"{_DEATHS}_total", [], [], _OF_DEATHS).inc(1)


# Metrics are made in a process's memory, or for all, on import: that process has no folder then.
_values_in_the_folder = lru_cache(MultiProcessValue)


def note_health(component: str, is_up: bool, seconds: float, *, is_required: bool) -> None:
    """Note the outcome of a check."""
    COMPONENT_UP.labels(component, str(is_required).lower()).set(is_up)
    CHECK_DURATION.labels(component).observe(seconds)


def known_method(method: str) -> str:
    """Return the method, or "other" for one that a client has made up."""
    return method if method in _METHODS else "other"


@lru_cache(maxsize=1024)
def _duration(method: str, route: str, status: int) -> Histogram:
    return DURATION.labels(method, route, status)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request by known method and route template: no client can add a time series."""
    _duration(method, route, status).observe(seconds)
