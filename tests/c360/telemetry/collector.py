"""A collector of OpenTelemetry on loopback: it takes metrics by OTLP over HTTP, and decodes them."""

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from tests.loopback import LoopbackServer

SILENCE = 120  # seconds after which even a collector that does not answer does
Labels = frozenset[tuple[str, str]]


@dataclass
class Collected:
    """What arrived, and whether requests are answered at all."""

    requests: list[ExportMetricsServiceRequest] = field(default_factory=list)
    asked: int = 0  # requests that came, answered or not
    status: int = 200
    answers: Event = field(default_factory=Event)  # unset: it takes a request, and says nothing

    def __post_init__(self) -> None:
        self.answers.set()

    @property
    def points(self) -> dict[tuple[str, Labels], float]:
        """Name and labels of each metric -> its latest value."""
        return {
            (metric.name, _labels(point.attributes)): point.as_double
            for metric in self._metrics()
            for point in metric.gauge.data_points
        }

    @property
    def units(self) -> dict[str, str]:
        """Name of each metric -> its unit."""
        return {metric.name: metric.unit for metric in self._metrics()}

    @property
    def resource(self) -> dict[str, str]:
        """Who sent the last of it."""
        return dict(_labels(self.requests[-1].resource_metrics[0].resource.attributes))

    def of(self, name: str) -> dict[Labels, float]:
        """The points of one metric."""
        return {labels: value for (found, labels), value in self.points.items() if found == name}

    def _metrics(self) -> Iterator:
        for request in self.requests:
            for of_resource in request.resource_metrics:
                for scope in of_resource.scope_metrics:
                    yield from scope.metrics


def labels(**attributes: str) -> Labels:
    """Labels by their last word: ``labels(step="build")``."""
    return frozenset((f"c360.{name}", value) for name, value in attributes.items())


def _labels(attributes: Iterable) -> Labels:
    return frozenset((each.key, each.value.string_value) for each in attributes)


class Collector(LoopbackServer):
    """The server; its address is the endpoint."""

    def __init__(self, collected: Collected) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collected.asked += 1
                collected.answers.wait(SILENCE)
                collected.requests.append(ExportMetricsServiceRequest.FromString(body))
                self.send_response(collected.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        super().__init__(Handler, "/v1/metrics")
