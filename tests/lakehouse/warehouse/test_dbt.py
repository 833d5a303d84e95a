"""dbt: what it says, and that its backend does not outlive the run that started it."""

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from lakehouse import lake, warehouse
from lakehouse.errors import Shortage
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import dbt
from tests.conftest import create_database
from tests.lakehouse.warehouse import handmade_lake as bank

DAY = date(2026, 3, 2)
VARIABLES = {"business_date": DAY, "from_date": DAY}


@pytest.fixture
def attached(any_settings, small_project):
    bank.deliver(any_settings.lake, "transactions", DAY, [bank.posting(n, DAY, f"{n * 500_000}.00") for n in range(5)])
    warehouse.attach(any_settings, lake.pin(any_settings.lake, DAY), None)
    return any_settings


def test_a_build_tells_its_nodes_warnings_and_progress(attached):
    lines = []
    nodes = warehouse.run_dbt(attached, "tag:staging tag:marts", VARIABLES, lines.append)
    status = {node.name: node.status for node in nodes}
    assert status["fct_transactions"] == status["dim_account"] == "success"
    assert status["assert_amounts_are_positive"] == "pass"
    assert status["assert_few_large_amounts"] == "warn"
    assert "assert_whole_history_is_left_out" not in status
    assert len(lines) == len(nodes)
    assert any("fct_transactions" in line for line in lines)
    assert not (dbt.DBT_PROJECT / "target").exists()
    assert not (dbt.DBT_PROJECT / "logs").exists()


def test_a_failing_node_is_named_with_its_message(settings, small_project):
    bank.deliver(settings.lake, "transactions", DAY, [bank.posting(n, DAY) for n in range(5)])
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    with pytest.raises(warehouse.DbtFailed, match="assert_amounts_are_positive: fail: Got 5 results"):
        warehouse.run_dbt(settings, "tag:staging tag:marts", VARIABLES | {"failing": True})


def test_too_little_memory_for_a_node_is_told_with_the_setting(settings, small_project):
    bank.deliver(settings.lake, "transactions", DAY, [bank.posting(n, DAY) for n in range(5)])
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    with pytest.raises(Shortage, match="C360_MEMORY_LIMIT"):
        warehouse.run_dbt(settings.model_copy(update={"memory_limit": "1MB"}), "tag:staging tag:marts", VARIABLES)


READER = """
from lakehouse import warehouse
from lakehouse.settings import Settings

with warehouse.reading(Settings.from_env()):
    print("reads", flush=True)
    input()
"""


def test_dbt_waits_for_a_step_of_another_run_that_reads_what_is_built(settings, small_project, monkeypatch):
    bank.deliver(settings.lake, "transactions", DAY, [bank.posting(n, DAY) for n in range(5)])
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    command, environment = [sys.executable, "-c", READER], os.environ | settings.environment()
    with subprocess.Popen(
        command, env=environment, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout.readline() == "reads\n"
        waits = []

        def let_it_end(seconds: float) -> None:
            waits.append(seconds)
            reader.communicate("\n")

        monkeypatch.setattr(time, "sleep", let_it_end)
        dbt.run_dbt(settings, "tag:staging tag:marts", VARIABLES)
    assert len(waits) == 1 and reader.returncode == 0


@pytest.mark.parametrize("selection", ["tag:no_such", "tag:staging tag:no_such"])
def test_a_selection_that_matches_nothing_is_an_error(settings, small_project, selection):
    with pytest.raises(warehouse.DbtFailed, match="no_such"):
        warehouse.run_dbt(settings, selection, VARIABLES)


def test_what_dbt_cannot_parse_is_an_error(settings, small_project):
    with pytest.raises(warehouse.DbtFailed, match="in macro dates_of_run"):
        warehouse.run_dbt(settings, "tag:staging", {"business_date": "{{ nothing"})


def test_a_deployment_that_has_moved_to_another_database_is_built_there(
    postgres_settings: Settings, postgres_server: str, small_project: None
) -> None:
    """What was parsed names the first database, and dbt would refuse it."""
    bank.deliver(postgres_settings.lake, "transactions", DAY, [bank.posting(1, DAY)])
    with create_database(postgres_server) as elsewhere:
        for dsn in (postgres_settings.postgres_dsn, SecretStr(elsewhere)):
            settings = postgres_settings.model_copy(update={"postgres_dsn": dsn})
            warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
            nodes = warehouse.run_dbt(settings, "tag:staging tag:marts", VARIABLES)
            assert "fct_transactions" in {node.name for node in nodes}


SLOW_MODEL = {
    "duckdb": "select max(hash(range)) as h from range(60000000000)",
    "postgres": "select 1 as h from (select pg_sleep(60)) as sleeping",
}
RUN = """
import sys
from datetime import date
from pathlib import Path
from lakehouse import warehouse
from lakehouse.settings import Settings
warehouse.dbt.DBT_PROJECT = Path(sys.argv[1])
warehouse.run_dbt(Settings.from_env(), "tag:marts", {})
"""


def test_a_killed_run_takes_its_backend_along(any_settings, tmp_path):
    settings = any_settings
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    text = (Path(__file__).parent / "project" / "dbt_project.yml").read_text()
    (project / "dbt_project.yml").write_text(text.replace("../../../../dbt_project", str(PROJECT / "dbt_project")))
    (project / "models" / "marts").mkdir()
    (project / "models" / "marts" / "slow.sql").write_text(SLOW_MODEL[settings.target])
    (project / "tests").mkdir()  # a date excludes this tag, and what it names has to be there
    whole_history = "{{ config(tags=['whole_history']) }} select * from {{ ref('slow') }}"
    (project / "tests" / "whole_history.sql").write_text(whole_history)
    environment = os.environ | settings.environment()
    parent = subprocess.Popen([sys.executable, "-c", RUN, str(project)], env=environment, cwd=PROJECT)
    deadline = time.monotonic() + 60
    while not any(dbt.target_path(settings).rglob("run/**/slow.sql")):  # written before it is sent
        assert time.monotonic() < deadline, "dbt never began with the model"
        time.sleep(0.2)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    started = time.monotonic()
    if settings.target == "duckdb":
        assert warehouse.read_state(settings, wait=5) is None  # the file is free, and opens
    else:
        with psycopg.connect(settings.postgres_dsn.get_secret_value(), autocommit=True) as connection:
            running = (
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and application_name = 'dbt' and state = 'active'"
            )
            while connection.execute(running).fetchone()[0]:
                assert time.monotonic() - started < 5
                time.sleep(0.1)
