"""One dbt process for each model, as schedulers start them that know no more of dbt, against one process for all.

Both build the same tables of the same build engine anew, without tests, from a project that has been parsed before with
the same variables.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from benchmarks.full_build import RUN, mart_figures, needed_nodes
from benchmarks.rivals.comparison import Comparison, Goal, Side, differences
from benchmarks.rivals.dbt_command import run_dbt
from benchmarks.stages import run_stage
from lakehouse import warehouse
from lakehouse.lake.runs import read_records
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import DBT_PROJECT, PROFILES, read_manifest, target_path

TABLES = ("table", "incremental")
VARIABLES = ("business_date", "from_date", "as_of_dates", "currency", "reconciliation")
GOAL = Goal(5)


def compare(settings: Settings, folder: Path) -> Comparison:
    """Build the compared marts and the tables that they are made from, in both ways.

    Parameters
    ----------
    settings : Settings
        Of a bank on DuckDB that is built.
    folder : Path
        For what the rival's dbt writes.
    """
    before, models, variables = mart_figures(settings), table_models(settings), variables_of_build(settings)
    ours, _ = run_stage(f"one dbt process, {len(models)} models", build_at_once, settings, models, variables)
    after_ours = mart_figures(settings)
    theirs = build_one_by_one(settings, models, variables, folder / "dbt_processes")
    return Comparison(
        f"{len(models)} models: the marts, and the tables they are made from",
        f"{len(models)} dbt processes, one for each",
        Side(sum(theirs.values()), theirs),
        Side(ours.seconds),
        GOAL,
        unequal=differences(before, after_ours) + differences(before, mart_figures(settings)),
    )


def table_models(settings: Settings) -> list[str]:
    """The compared marts and the models that they are made from, each after those that it reads, without views."""
    nodes = read_manifest(settings)["nodes"]
    needed = [nodes[key] for key in needed_nodes(settings) if key.startswith("model.")]
    return [node["name"] for node in needed if node["config"]["materialized"] in TABLES]


def variables_of_build(settings: Settings) -> dict[str, object]:
    """dbt's variables of the bench's build: with them, incremental models build all dates anew."""
    (record,) = (record for record in read_records(settings.lake, RUN) if record["step"] == "build")
    return {name: record["detail"][name] for name in VARIABLES}


def build_at_once(settings: Settings, models: Sequence[str], variables: Mapping[str, object]) -> None:
    """Our way: dbt in this process, the project as it was parsed."""
    warehouse.run_dbt(settings, " ".join(models), variables, without="resource_type:test")


def build_one_by_one(
    settings: Settings, models: Sequence[str], variables: Mapping[str, object], folder: Path
) -> dict[str, float]:
    """The rival's way; seconds of each process. The project is parsed into ``folder`` before, which does not count."""
    shutil.copytree(target_path(settings), folder)
    options = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(PROFILES), "--target", settings.target]
    options += ["--target-path", str(folder), "--log-path", str(folder / "logs"), "--vars", json.dumps(variables)]
    environment = settings.environment()
    run_dbt(["parse", *options], environment)
    seconds = {}
    for model in models:
        seconds[model] = run_dbt(["run", "--select", model, *options], environment)
        typer.echo(f"dbt run --select {model} {seconds[model]:.1f} s", err=True)
    return seconds
