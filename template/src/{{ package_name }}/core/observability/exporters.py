"""OpenTelemetry's providers and exporters. Needs the packages of the extra `otel`."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter

from .redaction import Redactor

Shutdown = Callable[[], Any]


class _MaskQuery(SpanProcessor):
    """Masks what looks like a secret in a URL's query."""

    _redactor = Redactor()

    def on_start(self, span: Span, parent_context: object = None) -> None:  # noqa: ARG002
        query = (span.attributes or {}).get("url.query")
        if isinstance(query, str):
            span.set_attribute("url.query", self._redactor.text(query))


def start_exporters(
    traces: str | None, measurements: str | None, attributes: dict[str, str]
) -> list[Shutdown]:
    """Export to "otlp" or "console"; return the functions that send the rest and end it.

    Providers that somebody else has set up, such as `opentelemetry-instrument`, are left alone.
    """
    # Each worker process is an instance of the service. The environment's word is the last.
    described = Resource.create({**attributes, "service.instance.id": str(uuid4())})
    resource = described.merge(OTELResourceDetector().detect())
    shutdowns: list[Shutdown] = []
    if traces and not isinstance(trace.get_tracer_provider(), TracerProvider):
        tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
        spans = OTLPSpanExporter() if traces == "otlp" else ConsoleSpanExporter()
        tracers.add_span_processor(_MaskQuery())
        tracers.add_span_processor(BatchSpanProcessor(spans))
        trace.set_tracer_provider(tracers)
        shutdowns.append(tracers.shutdown)
    if measurements and not isinstance(metrics.get_meter_provider(), MeterProvider):
        figures = OTLPMetricExporter() if measurements == "otlp" else ConsoleMetricExporter()
        reader = PeriodicExportingMetricReader(figures)
        meters = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        metrics.set_meter_provider(meters)
        shutdowns.append(meters.shutdown)
    return shutdowns
