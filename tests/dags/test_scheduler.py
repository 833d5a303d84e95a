"""A small bank under a real Airflow scheduler: back-fill of the producers, the rest by assets, and a day that fails."""

import json
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing

import duckdb
import pytest
import yaml

import simulator
from c360 import pipeline
from demo.airflow import METADATA, AirflowError, local_airflow
from demo.progress import follow
from expectations.gates import GateFailed
from lakehouse import warehouse
from lakehouse.lake.dates import landed_dates
from lakehouse.lake.runs import read_records
from lakehouse.settings import PROJECT
from simulator.intraday import replay, to_landing
from tests.c360.alerts.servers import Hook, HookServer
from tests.conftest import parsed, temporary_settings

DAGS = {"ingest_branch", "ingest_online", "build_customer_360", "score_customers", "retrain_models"}


HOURLY = "send_alerts"  # runs by the clock
# the first test waits for the back-fill: as long as the machine takes
pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def hook():
    """What a chat's webhook on loopback gets."""
    hook = Hook()
    with HookServer(hook) as url:
        yield hook, url


def rules(url: str, *days: int) -> str:
    """Rules of alerts: one of each number, all of what readers have been given."""
    rule = {
        "title": {"en": "Published", "zh": "已发布"},
        "severity": "info",
        "table": "ops.publications",
        "condition": "schema_name = 'marts' and table_name = 'customer_360'",
        "key": ["business_date"],
        "to": ["chat"],
    }
    target = {"kind": "webhook", "url": url}
    return yaml.safe_dump(
        {"receivers": {"chat": {"target": target}}, "rules": {f"published_{number}": rule for number in days}}
    )


@pytest.fixture(scope="module")
def bank(tmp_path_factory, hook):
    """Settings and business dates of a bank of 200 customers; the third day lacks its transactions."""
    folder = tmp_path_factory.mktemp("bank")
    simulator.generate(200, 7, 1, folder, days=2)
    # each feed is a task for every date: few of them wire the DAGs as many do
    few_feeds = yaml.safe_load((PROJECT / "deployments" / "simulated.yml").read_text())
    few_feeds["optional"] = ["wallet_bindings", "wallet_payments"]
    few_feeds["alerts"] = ["chat"]
    (folder / "alerts.yml").write_text(rules(hook[1], 1))
    (folder / "few_feeds.yml").write_text(yaml.safe_dump(few_feeds))
    settings = parsed(temporary_settings(folder, deployment=folder / "few_feeds.yml", alerts=folder / "alerts.yml"))
    dates = landed_dates(settings.landing)
    (settings.landing / "transactions" / f"transactions_{dates[-1]}_v1.manifest.json").unlink()
    return settings, dates


@pytest.fixture(scope="module")
def airflow(bank):
    settings, dates = bank
    with local_airflow(settings.lake.parent / "airflow", settings, dates[-1], DAGS) as running:
        for dag_id in ("ingest_branch", "ingest_online"):
            running.backfill(dag_id, dates[0], dates[-2])
        follow(running, DAGS, dates[:-1], print)
        yield running


def ended(airflow, run: dict) -> dict:
    """The run, when it has ended."""
    deadline = time.monotonic() + 120
    while run["state"] not in ("success", "failed"):
        assert time.monotonic() < deadline, run
        time.sleep(0.5)
        run = airflow.ask("GET", f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}")
    return run


def runs(airflow) -> Counter:
    """Of the DAGs of a date; how often."""
    found = (run for run in airflow.runs() if run["dag_id"] != HOURLY)
    return Counter((run["dag_id"], run["partition_key"], run["state"]) for run in found)


def test_every_dag_ran_once_per_date_and_nothing_else_ran(bank, airflow):
    assert runs(airflow) == {(dag_id, str(day), "success"): 1 for dag_id in DAGS for day in bank[1][:-1]}


def test_readers_have_the_last_date(bank, airflow):
    assert warehouse.published_date(bank[0]) == bank[1][-2]


def test_the_end_of_a_date_and_the_hourly_dag_tell_whoever_is_to_know_each_once(bank, airflow, hook):
    settings, dates = bank
    said = [(body["rule"], body["business_date"]) for body in hook[0].bodies]
    records = (json.loads(path.read_text()) for path in sorted((settings.lake / "publishes").glob("*.json")))
    published = list(dict.fromkeys(record["business_date"] for record in records))  # a date may overtake another
    assert said == [("published_1", day) for day in published], "at the end of each date that readers were shown"
    assert published[-1] == str(dates[-2])
    settings.alerts.write_text(rules(hook[1], 1, 2))
    for _ in range(2):
        run = airflow.ask("POST", f"/dags/{HOURLY}/dagRuns", json={"logical_date": None})
        assert ended(airflow, run)["state"] == "success"
    assert [body["rule"] for body in hook[0].bodies[len(said) :]] == ["published_2"]


def test_a_request_waits_while_another_writes_the_metadata(bank, airflow):
    with closing(sqlite3.connect(airflow.home / METADATA, isolation_level=None, check_same_thread=False)) as other:
        other.execute("begin immediate")
        release = threading.Timer(8, other.execute, ["rollback"])  # longer than SQLite waits by default
        release.start()
        airflow.ask("PATCH", "/dags/retrain_models", json={"is_paused": True})
        release.join()
    airflow.ask("PATCH", "/dags/retrain_models", json={"is_paused": False})


def test_a_run_without_a_key_is_refused_and_starts_nothing(bank, airflow):
    before = runs(airflow)
    for dag_id in ("ingest_online", "score_customers"):
        run = airflow.ask("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None})
        assert ended(airflow, run)["state"] == "failed"
        assert "is not a business date" in "".join(
            log.read_text()
            for log in (airflow.home / "logs").glob(f"dag_id={dag_id}/run_id={run['dag_run_id']}/**/*.log")
        )
    started = runs(airflow) - before
    assert {dag_id for dag_id, _, _ in started} == {"ingest_online", "score_customers"}


def test_the_intraday_dag_shows_readers_what_lands(bank, airflow):
    settings, dates = bank
    airflow.ask("PATCH", "/dags/intraday_fund_flow", json={"is_paused": False})
    sent = replay(settings.landing, dates[-1], to_landing(settings.landing), rate=0, seconds=60, copies=1)
    deadline = time.monotonic() + 120
    while shown(settings) != sum(sent.values()):
        assert time.monotonic() < deadline, (shown(settings), sent)
        time.sleep(1)
    airflow.ask("PATCH", "/dags/intraday_fund_flow", json={"is_paused": True})
    (run,) = [run for run in airflow.runs() if run["dag_id"] == "intraday_fund_flow"]
    assert run["state"] == "running"
    airflow.ask("PATCH", f"/dags/intraday_fund_flow/dagRuns/{run['dag_run_id']}", json={"state": "failed"})


def shown(settings) -> int:
    """Events of the day so far that readers see."""
    (row,) = warehouse.query_serving(
        settings,
        "select coalesce(sum(txn_count + wallet_payment_count), 0) as events from marts.fund_flow_intraday",
    ).to_pylist()
    return row["events"]


def test_a_failed_gate_stops_publication_and_leaves_yesterday_readable(bank, airflow):
    settings, dates = bank
    before = warehouse.content_hash(settings, "marts.fct_transactions")
    with duckdb.connect(settings.build) as engine:
        engine.execute("create table raw.lost as from build_marts.fct_transactions order by txn_id limit 1")
        engine.execute("delete from build_marts.fct_transactions where txn_id = (select txn_id from raw.lost)")
    with pytest.raises(GateFailed, match="rows_loaded and rows_accounted"):
        pipeline.serve(settings, dates[-2], "a-posting-is-lost")
    assert warehouse.content_hash(settings, "marts.fct_transactions") == before
    (record,) = read_records(settings.lake, "a-posting-is-lost")
    assert record["detail"]["gate"]["failed"] > 0, "the metrics count what failed"
    assert warehouse.published_date(settings) == dates[-2]
    with duckdb.connect(settings.build) as engine:
        engine.execute("insert into build_marts.fct_transactions from raw.lost; drop table raw.lost")


def test_a_day_without_a_required_feed_stops_says_so_and_leaves_yesterday_readable(bank, airflow):
    settings, dates = bank
    yesterday = warehouse.content_hash(settings, "marts.customer_360")
    airflow.backfill("ingest_branch", dates[-1], dates[-1])
    with pytest.raises(
        AirflowError, match=r"ingest_branch failed for .*\n.*check_delivered(.|\n)*required feed transactions"
    ):
        follow(airflow, {"ingest_branch"}, dates[-1:], print)
    (run,) = [run for run in airflow.runs() if run["partition_key"] == str(dates[-1])]
    states = {task["task_id"]: task["state"] for task in airflow.tasks(run) if task["map_index"] < 0}
    assert states["check_delivered"] == "failed"
    failed = [
        record
        for path in (settings.lake / "runs").glob("*/check_branch_reference_feedback.json")
        if (record := json.loads(path.read_text()))["status"] == "failed"
    ]
    assert [record["business_date"] for record in failed] == [str(dates[-1])]
    assert "required feed transactions" in failed[0]["error"]
    assert not [run for run in airflow.runs() if run["dag_id"] == "build_customer_360" and run["state"] != "success"]
    assert warehouse.content_hash(settings, "marts.customer_360") == yesterday
    steps = warehouse.query_serving(settings, "select * from ops.runs").to_pylist()
    assert any("required feed transactions" in (step["error"] or "") for step in steps)
