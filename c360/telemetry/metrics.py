"""Metrics by OpenTelemetry: how steps, deliveries and gates went, how old feeds are, and what readers have.

They go to the endpoint that ``OTEL_EXPORTER_OTLP_ENDPOINT`` (or ``…_METRICS_ENDPOINT``) names, and nowhere without one.
A collector that does not answer never stops a step, and keeps it no longer than `PATIENCE`.
"""

import logging
import math
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, cast

from c360.telemetry import measures
from c360.telemetry.measures import Point
from lakehouse.contracts import load_deployment
from lakehouse.errors import without_values
from lakehouse.lake.runs import read_records
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricsData

ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
PATIENCE = 2.0  # seconds that a step waits for the collector
PAUSE = 60.0  # seconds for which a collector that did not answer is not asked again

FRESHNESS = "select feed, days_since_delivery, latency_days from ops.freshness order by feed"

log = logging.getLogger(__name__)


@dataclass
class Collector:
    """What this process knows of the collector."""

    asked_again_at: float = -math.inf  # on the clock that only goes forward


COLLECTOR = Collector()


def is_on() -> bool:
    """Whether the environment names an endpoint, and has not switched OpenTelemetry off."""
    is_off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    is_none = os.environ.get("OTEL_METRICS_EXPORTER") == "none"
    return not (is_off or is_none) and any(os.environ.get(name) for name in ENDPOINTS)


def tell_step(settings: Settings, run_id: str, step: str, usual: float | None) -> None:
    """Send how a step ended, by its record in the lake; whatever comes of it, the caller goes on.

    Parameters
    ----------
    usual : float, optional
        Seconds that it took lately.
    """
    with _going_on():
        record = next((one for one in read_records(settings.lake, run_id) if one["step"] == step), None)
        if record:
            send(settings, measures.of_step(record, usual))


def tell_published(settings: Settings) -> None:
    """Send what readers have since a publish; whatever comes of it, the caller goes on."""
    from lakehouse import warehouse  # what ends a step without a publish does not wait for it

    with _going_on():
        published = warehouse.published_date(settings)
        if published:
            rows = warehouse.query_serving(settings, FRESHNESS).to_pylist()
            send(settings, measures.of_store(published, cast("list[measures.Feed]", rows)))


@contextmanager
def _going_on() -> Generator[None]:
    """A block that may fail: it is about the work, and no part of it."""
    try:
        yield
    except Exception as failure:  # noqa: BLE001 (whatever it is, a step does not fail of it)
        log.warning("metrics: %s", without_values(failure))


def send(settings: Settings, points: Iterable[Point]) -> None:
    """Send points to the collector; whatever comes of it, the caller goes on."""
    given = tuple(points)
    if not given or monotonic() < COLLECTOR.asked_again_at:
        return
    arrived: list[bool] = []
    with _going_on():
        exporter, collected = _exporter(), _collected(_resource(settings), given)
        # only the network is waited for: what is a thread's may go on, and ends with the process
        thread = Thread(target=_export, args=(exporter, collected, arrived), name="metrics", daemon=True)
        thread.start()
        thread.join(PATIENCE)
    if not (arrived and arrived[0]):
        COLLECTOR.asked_again_at = monotonic() + PAUSE
        log.warning("metrics did not reach the collector; it is asked again in %.0f seconds", PAUSE)


def _export(exporter: "MetricExporter", collected: "MetricsData", arrived: list[bool]) -> None:
    from opentelemetry.sdk.metrics.export import MetricExportResult

    with _going_on():
        try:
            result = exporter.export(collected, timeout_millis=PATIENCE * 1000)
            arrived.append(result is MetricExportResult.SUCCESS)
        finally:
            exporter.shutdown()


def _collected(resource: Mapping[str, str], points: tuple[Point, ...]) -> "MetricsData":
    """The points as the protocol has them: a gauge for each metric."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], Resource.create(dict(resource)), shutdown_on_exit=False)
    meter = provider.get_meter("c360")
    gauges = {
        measure: meter.create_gauge(measure.name, measure.unit, measure.description)
        for measure in dict.fromkeys(point.measure for point in points)
    }
    for point in points:
        gauges[point.measure].set(float(point.value), dict(point.attributes))
    collected = reader.get_metrics_data()
    provider.shutdown()
    if collected is None:
        raise ValueError("nothing was collected")
    return collected


def _exporter() -> "MetricExporter":
    """By OTLP over HTTP, or over gRPC where the environment says so; addresses, headers and certificates are its."""
    for noisy in ("opentelemetry.exporter", "opentelemetry.sdk"):  # what they say is said once, by `send`
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    if next(filter(None, map(os.environ.get, PROTOCOLS)), "http/protobuf") == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as Exporter
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as Exporter
    return Exporter()


def _resource(settings: Settings) -> dict[str, str]:
    """Who sends; what the environment says of it wins. An installation is one instance, whatever process sends."""
    deployment = load_deployment(settings.deployment).name
    told = {"c360.deployment": deployment, "c360.target": settings.target, "service.instance.id": deployment}
    told |= {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "c360"}
    given = os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return {name: value for name, value in told.items() if f"{name}=" not in given}
