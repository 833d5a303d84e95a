"""Metrics of a bank that has been run: what its records and its store say."""

import pytest

from c360.telemetry import metrics
from lakehouse import warehouse
from lakehouse.lake.runs import read_records
from lakehouse.settings import Settings
from tests.c360.telemetry.collector import Collected, labels
from tests.c360.telemetry.conftest import collector, server  # noqa: F401  fixtures
from tests.pipeline.conftest import LAST_OF_HISTORY

pytestmark = pytest.mark.usefixtures("collector")


def test_what_readers_have_is_what_ops_freshness_says(history: Settings, collector: Collected) -> None:  # noqa: F811
    metrics.tell_published(history)
    query = "select feed, days_since_delivery, latency_days from ops.freshness"
    rows = warehouse.query_serving(history, query).to_pylist()
    assert len(rows) > 10
    assert collector.of("c360.feed.age") == {labels(feed=row["feed"]): row["days_since_delivery"] for row in rows}
    late = {row["feed"] for row in rows if row["days_since_delivery"] > row["latency_days"]}
    told = {dict(key)["c360.feed"] for key, value in collector.of("c360.feed.late").items() if value}
    assert told == late
    ((_, seconds),) = collector.of("c360.published.time").items()
    assert seconds == (LAST_OF_HISTORY - type(LAST_OF_HISTORY)(1970, 1, 1)).days * 86400


def test_every_gate_of_a_run_is_tallied(history: Settings, collector: Collected) -> None:  # noqa: F811
    gates = [record for record in read_records(history.lake) if "checks" in record["detail"]]
    assert {record["step"] for record in gates} >= {"serve"}
    for record in gates:
        tally = record["detail"]["gate"]
        assert isinstance(tally, dict) and sum(tally.values()) == record["detail"]["checks"]
        metrics.tell_step(history, record["run_id"], record["step"], None)
        told = {
            dict(key)["c360.outcome"]: n
            for key, n in collector.of("c360.gate.checks").items()
            if dict(key)["c360.gate"] == record["step"]
        }
        assert told == tally
