"""Metrics reach a real collector, say what the records say, and never stop or keep a step."""

import time
from datetime import date, datetime

import pytest

from c360.intake import ingest
from c360.steps import step
from c360.telemetry import measures, metrics
from lakehouse.lake.runs import read_records
from lakehouse.settings import PROJECT, Settings
from tests.c360.telemetry.collector import SILENCE, Collected, labels
from tests.lakehouse.ingestion.bank import DAY, Bank

TODAY = date.fromisoformat(DAY)
LONGEST = SILENCE / 4  # seconds: far less than the collector's silence, and enough for a busy machine


def test_a_step_sends_its_duration_rows_and_deliveries(bank: Bank, collector: Collected) -> None:
    (outcome,) = ingest(bank.settings, "customers", TODAY, "run")
    assert (outcome.rows_loaded, outcome.rows_quarantined) == (2, 5)
    step = {"step": "ingest_customers"}
    (record,) = read_records(bank.settings.lake)
    assert collector.of("c360.delivery.rows") == {
        labels(feed="customers", outcome="loaded"): 2,
        labels(feed="customers", outcome="quarantined"): 5,
    }
    assert collector.of("c360.deliveries") == {labels(feed="customers", outcome="loaded"): 1}
    assert collector.of("c360.step.failed") == {labels(**step): 0}
    ((key, seconds),) = collector.of("c360.step.duration").items()
    assert key == labels(**step, outcome="success") and 0 < seconds < 60
    assert record["detail"]["rows"] == {"loaded": 2, "quarantined": 5}
    assert (collector.resource["service.name"], collector.resource["service.instance.id"]) == ("c360", "simulated")
    assert (collector.resource["c360.deployment"], collector.resource["c360.target"]) == ("simulated", "duckdb")
    assert collector.units == {each.name: each.unit for each in measures.MEASURES if each.name in collector.units}


def test_a_duration_stands_beside_its_own_history(settings: Settings, collector: Collected) -> None:
    """The usual is the median of the earlier ones: what the records say, since a busy machine lengthens them."""
    for number, slept in enumerate((0.1, 0.3, 0.6)):
        with step(settings, f"run{number}", "build", TODAY):
            time.sleep(slept)
    first, second, third = (
        (datetime.fromisoformat(record["ended_at"]) - datetime.fromisoformat(record["started_at"])).total_seconds()
        for record in sorted(read_records(settings.lake), key=lambda record: record["started_at"])
    )
    usual = collector.of("c360.step.duration.usual")[labels(step="build")]
    assert usual == pytest.approx((first + second) / 2)
    took = collector.of("c360.step.duration")[labels(step="build", outcome="success")]
    assert took == pytest.approx(third)
    assert collector.of("c360.step.duration.ratio")[labels(step="build")] == pytest.approx(took / usual)


def test_a_failed_step_and_a_failed_gate_are_counted(settings: Settings, collector: Collected) -> None:
    def fail() -> None:
        with step(settings, "run", "serve", TODAY) as detail:
            detail["gate"] = {"passed": 40, "warned": 2, "failed": 1}
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert collector.of("c360.step.failed") == {labels(step="serve"): 1}
    assert collector.of("c360.gate.checks") == {
        labels(gate="serve", outcome=outcome): count
        for outcome, count in (("passed", 40), ("warned", 2), ("failed", 1))
    }


def test_no_metric_has_a_label_that_is_not_described(bank: Bank, collector: Collected) -> None:
    ingest(bank.settings, "customers", TODAY, "run")
    known = {each.name: set(each.labels) for each in measures.MEASURES}
    assert {name for name, _ in collector.points} <= known.keys()
    for name, found in collector.points:
        assert {label for label, _ in found} == known[name]


def test_without_an_endpoint_nothing_is_sent(bank: Bank, collector: Collected, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("OTEL_SDK_DISABLED", "true"), ("OTEL_METRICS_EXPORTER", "none")):
        monkeypatch.setenv(name, value)
        assert not metrics.is_on()
        monkeypatch.delenv(name)
    assert metrics.is_on()
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    ingest(bank.settings, "customers", TODAY, "run")
    assert collector.requests == []


@pytest.mark.parametrize("fault", ["nobody listens", "it never answers", "it refuses", "no address"])
def test_a_collector_that_does_not_work_neither_stops_nor_keeps_a_step(
    bank: Bank, collector: Collected, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "nobody listens":
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:9/v1/metrics")
    elif fault == "it never answers":
        collector.answers.clear()
    elif fault == "it refuses":
        collector.status = 400
    else:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "no address")
    began = time.monotonic()
    for feed in ("customers", "accounts", "cards"):
        ingest(bank.settings, feed, TODAY, "run")
    assert time.monotonic() - began < LONGEST
    assert collector.asked == (fault in ("it never answers", "it refuses")), "only the first step asks"
    assert {record["status"] for record in read_records(bank.settings.lake)} == {"success"}


def test_the_operators_page_has_every_metric_with_unit_and_labels() -> None:
    rows = [
        line.split("|") for line in (PROJECT / "docs" / "OPERATOR.md").read_text().splitlines() if "| `c360." in line
    ]
    written = {row[1].strip(" `"): (row[2].strip(" `"), row[3].replace("`", "").strip()) for row in rows}
    assert written == {each.name: (each.unit, ", ".join(each.labels) or "none") for each in measures.MEASURES}
