"""The DAG files: they import fast, hold the house rules, and wire what the deployment declares."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakehouse.contracts import load_deployment
from lakehouse.settings import PROJECT

SIMULATED = PROJECT / "deployments" / "simulated.yml"
IMPORT = """
import sys, time
from airflow.dag_processing.dagbag import DagBag
began = time.process_time()
bag = DagBag(sys.argv[1])
assert not bag.import_errors, bag.import_errors
heavy = {"great_expectations", "duckdb", "sklearn", "pandas", "dbt"} & set(sys.modules)
tasks = sorted(f"{dag.dag_id}.{task.task_id}" for dag in bag.dags.values() for task in dag.tasks)
print(time.process_time() - began, ",".join(sorted(bag.dags)), ",".join(sorted(heavy)), ",".join(tasks), sep=";")
"""


def imported(tmp_path, deployment: Path) -> tuple[float, set[str], str, set[str]]:
    """Seconds, DAG ids, heavy modules, tasks as dag.task: in a separate process, as in Airflow."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "C360_DEPLOYMENT": str(deployment),
        "C360_LAKE": str(tmp_path / "lake"),
    }
    command = [sys.executable, "-c", IMPORT, str(PROJECT / "dags")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds, dag_ids, heavy, tasks = done.stdout.splitlines()[-1].split(";")
    return float(seconds), set(dag_ids.split(",")), heavy, set(tasks.split(","))


def test_all_dags_import_in_two_seconds_without_heavy_libraries(tmp_path):
    seconds, dag_ids, heavy, tasks = imported(tmp_path, SIMULATED)
    assert "score_customers.alert" not in tasks  # nobody is named
    assert dag_ids == {
        "ingest_branch",
        "ingest_online",
        "build_customer_360",
        "score_customers",
        "retrain_models",
        "intraday_fund_flow",
    }
    assert seconds < 2.0
    assert heavy == ""


def test_a_deployment_without_online_feeds_has_no_online_dag(tmp_path):
    assert imported(tmp_path, SIMULATED.with_name("berka.yml"))[1] == {
        "ingest_branch",
        "build_customer_360",
        "score_customers",
        "retrain_models",
        "intraday_fund_flow",
    }


def test_a_deployment_that_names_receivers_of_alerts_has_a_dag_that_tells_them_every_hour(tmp_path):
    deployment = tmp_path / "told.yml"
    deployment.write_text(SIMULATED.read_text() + "alerts: [operations]\n")
    _, dag_ids, heavy, tasks = imported(tmp_path, deployment)
    assert "send_alerts" in dag_ids and "score_customers.alert" in tasks
    assert heavy == ""


def test_a_deployment_that_keeps_files_for_a_time_has_a_dag_that_removes_them(tmp_path):
    deployment = tmp_path / "kept.yml"
    deployment.write_text(SIMULATED.read_text() + "retention: {landing: 90}\n")
    _, dag_ids, heavy, tasks = imported(tmp_path, deployment)
    assert "retain_files" in dag_ids and "retain_files.remove" in tasks
    assert heavy == ""


@pytest.fixture(scope="module")
def dags(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.setenv("C360_LAKE", str(tmp_path_factory.mktemp("store") / "lake"))
        from airflow.dag_processing.dagbag import DagBag

        return DagBag(str(PROJECT / "dags")).dags


def test_every_task_has_an_owner_a_time_out_a_pool_and_a_failure_call_back(dags):
    for dag in dags.values():
        assert "### Purpose" in dag.doc_md and "### Notes" in dag.doc_md
        assert {"c360"} < set(dag.tags) and dag.max_active_runs == 1 and not dag.catchup
        for task in dag.tasks:
            options = task.partial_kwargs if task.is_mapped else vars(task)
            assert options["owner"] == "customer-data"
            assert timedelta(0) < options["execution_timeout"] <= timedelta(hours=6)
            assert options["pool"] in ("lake", "build", "intraday")
            assert options["on_failure_callback"]


def test_the_intraday_loop_waits_until_somebody_starts_it_and_touches_no_asset(dags):
    dag = dags["intraday_fund_flow"]
    assert dag.is_paused_upon_creation
    assert not any(task.inlets or task.outlets for task in dag.tasks)


def test_one_mapped_task_per_declared_feed(dags):
    deployment = load_deployment(SIMULATED)
    mapped = {
        name: set(dags[name].get_task("ingest").op_kwargs_expand_input.value["feed"])
        for name in ("ingest_branch", "ingest_online")
    }
    assert mapped["ingest_branch"] | mapped["ingest_online"] == set(deployment.feeds)
    assert mapped["ingest_online"] == set(deployment.feeds_of("online"))


@pytest.mark.parametrize("key", [None, "", "None", "2026-1-5", "2026-02-30", "20260105", "2026-01-05T00:00:00"])
def test_a_run_without_a_business_date_is_refused_without_retry(dags, key):
    from airflow.sdk.exceptions import AirflowFailException

    from c360.scheduling import business_date

    with pytest.raises(AirflowFailException, match="not a business date"):
        business_date(SimpleNamespace(run_id="manual__1", partition_key=key))


def test_a_killed_step_is_recorded_once(dags, tmp_path, monkeypatch):
    import json

    from c360.scheduling import record_failure

    monkeypatch.setenv("C360_LAKE", str(tmp_path / "lake"))
    run = SimpleNamespace(run_id="backfill__2026:01", partition_key="2026-01-05")
    context = {
        "dag_run": run,
        "ti": SimpleNamespace(dag_id="build_customer_360", task_id="build"),
        "exception": "killed by the system",
    }
    record_failure(context)
    record_failure(context | {"ti": SimpleNamespace(dag_id="build_customer_360", task_id="report_failure")})
    (path,) = (tmp_path / "lake" / "runs").glob("*/*.json")
    record = json.loads(path.read_text())
    assert (record["step"], record["status"]) == ("build_customer_360.build", "failed")
    assert "killed by the system" in record["error"]
