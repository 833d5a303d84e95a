"""The DAG files: they import fast, hold the house rules, and wire what the deployment declares."""

import subprocess
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from lakehouse.contracts import load_deployment
from lakehouse.settings import PROJECT

SIMULATED = PROJECT / "deployments" / "simulated.yml"
IMPORT = """
import os, sys, time
from airflow.dag_processing.dagbag import DagBag
for deployment in sys.argv[2:]:
    os.environ["C360_DEPLOYMENT"] = deployment
    for name in [name for name in sys.modules if name.startswith(("c360", "lakehouse", "unusual_prefix"))]:
        del sys.modules[name]  # they have read the settings of the one before
    began = time.process_time()
    bag = DagBag(sys.argv[1])
    assert not bag.import_errors, bag.import_errors
    seconds = time.process_time() - began
    heavy = {"great_expectations", "duckdb", "sklearn", "pandas", "dbt"} & set(sys.modules)
    tasks = sorted(f"{dag.dag_id}.{task.task_id}" for dag in bag.dags.values() for task in dag.tasks)
    print("imported", seconds, ",".join(sorted(bag.dags)), ",".join(sorted(heavy)), ",".join(tasks), sep=";")
"""


class Imported(NamedTuple):
    """What Airflow reads of the DAG files for a deployment."""

    seconds: float  # of processor time
    dag_ids: set[str]
    heavy: str  # libraries that were loaded, and should not be
    tasks: set[str]  # as dag.task


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> dict[str, Imported]:
    """By deployment, in a process of its own, as in Airflow; the simulated one first, since what it loads stays."""
    folder = tmp_path_factory.mktemp("imported")
    deployments = {"simulated": SIMULATED, "berka": SIMULATED.with_name("berka.yml")}
    for name, more in (("told", "alerts: [operations]"), ("kept", "retention: {landing: 90}")):
        deployments[name] = folder / f"{name}.yml"
        deployments[name].write_text(f"{SIMULATED.read_text()}{more}\n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "C360_LAKE": str(folder / "lake"),
    }
    command = [sys.executable, "-c", IMPORT, str(PROJECT / "dags"), *map(str, deployments.values())]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    lines = (line for line in done.stdout.splitlines() if line.startswith("imported;"))
    for name, line in zip(deployments, lines, strict=True):
        _, seconds, dag_ids, heavy, tasks = line.split(";")
        found[name] = Imported(float(seconds), set(dag_ids.split(",")), heavy, set(tasks.split(",")))
    return found


def test_all_dags_import_in_two_seconds_without_heavy_libraries(imported):
    seconds, dag_ids, heavy, tasks = imported["simulated"]
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


def test_a_deployment_without_online_feeds_has_no_online_dag(imported):
    assert imported["berka"].dag_ids == {
        "ingest_branch",
        "build_customer_360",
        "score_customers",
        "retrain_models",
        "intraday_fund_flow",
    }


def test_a_deployment_that_names_receivers_of_alerts_has_a_dag_that_tells_them_every_hour(imported):
    assert "send_alerts" in imported["told"].dag_ids and "score_customers.alert" in imported["told"].tasks
    assert imported["told"].heavy == ""


def test_a_deployment_that_keeps_files_for_a_time_has_a_dag_that_removes_them(imported):
    assert "retain_files" in imported["kept"].dag_ids and "retain_files.remove" in imported["kept"].tasks
    assert imported["kept"].heavy == ""


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
