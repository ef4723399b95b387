"""OpenTelemetry: traces and metrics for a collector, where the environment names one.

FastAPI makes the spans and measurements of requests by itself; this decides whether, and where to.
The variables are those of OpenTelemetry: OTEL_EXPORTER_OTLP_ENDPOINT and so on.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.util import find_spec
from threading import Thread
from typing import Any

import structlog
from fastapi.telemetry import TelemetryConfig

from .route import is_polled, own_path

_log = structlog.get_logger(__name__)

_EXPORTERS = ("otlp", "console", "none")
_FLUSH_SECONDS = 2.0
"""Time in which the rest is sent at the end: a collector that hangs must not hold us up."""


def telemetry_config() -> TelemetryConfig:
    """Return FastAPI's `telemetry=` option."""
    if not any(name.startswith(("OTEL_", "FASTAPI_OTEL_")) for name in os.environ):
        # FastAPI would look for providers anew at every request, to find none.
        return TelemetryConfig(tracing=False, metrics=False, logs=False)
    # Not its logs: they carry texts of exceptions, which only our own log masks.
    return TelemetryConfig(
        logs=False, auto_configure=False, exclude=lambda scope: is_polled(own_path(scope))
    )


@asynccontextmanager
async def exporting_telemetry(service: str, version: str, environment: str) -> AsyncIterator[None]:
    """Export traces and metrics while the block runs, if the environment asks for it.

    What it asks for and can't be done is logged, and the service runs without.
    """
    traces, measurements = exporter_of("TRACES"), exporter_of("METRICS")
    shutdowns: list[Callable[[], Any]] = []
    if (traces or measurements) and _is_installed():
        from .exporters import start_exporters  # noqa: PLC0415  # its packages are optional

        described = {
            "service.name": service,
            "service.version": version,
            "deployment.environment.name": environment,
        }
        shutdowns = start_exporters(traces, measurements, described)
    try:
        yield
    finally:
        await _run_all(shutdowns)


def exporter_of(signal: str) -> str | None:
    """ "otlp", "console", or None if the signal is not to be exported."""
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    variable = f"OTEL_{signal}_EXPORTER"
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    default = "otlp" if any(os.environ.get(name) for name in endpoints) else "none"
    exporter = (os.environ.get(variable) or default).strip().lower()
    if exporter not in _EXPORTERS:
        _log.error(f"{variable} must be one of {', '.join(_EXPORTERS)}; nothing is exported")
    elif exporter == "otlp" and not _is_http(signal):
        _log.error("OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf; nothing is exported")
    elif exporter != "none":
        return exporter
    return None


def _is_http(signal: str) -> bool:
    names = (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    named = next((value for name in names if (value := os.environ.get(name))), "http/protobuf")
    return named == "http/protobuf"


def _is_installed() -> bool:
    packages = ("opentelemetry.sdk", "opentelemetry.exporter")
    if all(find_spec(package) for package in packages):
        return True
    _log.error(
        "OpenTelemetry is configured and its packages are missing, so nothing is exported: "
        "install this service with its extra `otel`, as in `uv sync --extra otel`"
    )
    return False


async def _run_all(shutdowns: list[Callable[[], Any]]) -> None:
    """Run all at once, for `_FLUSH_SECONDS`; in threads that the end of the process ignores."""
    threads = [Thread(target=shutdown, daemon=True) for shutdown in shutdowns]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(one.join, _FLUSH_SECONDS) for one in threads))
    if any(thread.is_alive() for thread in threads):
        _log.warning("the OpenTelemetry collector does not answer; what was left is lost")
