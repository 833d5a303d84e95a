"""A bank small enough to write down: raw tables in a build engine, filled row by row, and dbt run over them."""

from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from dbt.adapters.duckdb import DuckDBConnectionManager
from dbt.adapters.factory import reset_adapters
from dbt.artifacts.schemas.run import RunResult
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder

from lakehouse.contracts import load_feeds
from lakehouse.settings import Settings
from lakehouse.warehouse import dbt
from lakehouse.warehouse.dbt_sources import STAGING
from tests.conftest import parsed, temporary_settings

LAYERS = "path:seeds path:models/staging path:models/intermediate path:models/marts"
LATER = "tag:serving path:models/intermediate/point_in_time"  # what features are made of
FILLERS = {"varchar": "x", "date": date(2025, 1, 1), "integer": 1, "boolean": False}


def raw_tables() -> dict[str, dict[str, str]]:
    """``schema.table`` -> column -> type, of everything that the build engine attaches."""
    sources = yaml.safe_load((STAGING / "_raw__sources.yml").read_text())["sources"]
    return {
        f"{source['schema']}.{table['name']}": {column["name"]: column["data_type"] for column in table["columns"]}
        for source in sources
        for table in source["tables"]
    }


class Bank:
    """A build engine in one DuckDB file under ``folder``, with empty raw tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "build.duckdb"
        self.connection = {"C360_TARGET": "duckdb", "C360_BUILD": str(self.path)}
        self.tables = raw_tables()
        parsed(temporary_settings(folder))
        with self.connect() as connection:
            connection.execute("create schema raw; create schema quarantine")
            for name, columns in self.tables.items():
                connection.execute(f"create table {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")

    def connect(self) -> duckdb.DuckDBPyConnection:
        return duckdb.connect(str(self.path))

    def deliver(self, feed: str, period: str, rows: list[dict[str, Any]], version: int = 1, known: str = "") -> None:
        """Load rows as ingestion would; a required column that a row leaves out gets a filler."""
        contract = load_feeds()[feed]
        delivery = f"{feed}/{period}/v{version}-{'0' * 12}"
        with self.connect() as connection:
            for number, given in enumerate(rows, start=2):
                day = str(given.get("business_date", period if len(period) == 10 else f"{period}-01"))
                row = {column.name: _filler(column, day) for column in contract.columns if column.is_required}
                row |= {f"{name}_token": f"token of {given[name]}" for name in contract.tokenised if given.get(name)}
                row |= given | {"_file": f"{feed}_{period}", "_row": number, "_delivery": delivery}
                row["_known_date"] = known or (period if len(period) == 10 else day)
                self._insert(connection, f"raw.{feed}", row)
        self.record(feed, period, version=version, rows_loaded=len(rows))

    def supersede(self, feed: str, period: str, version: int, on: str) -> None:
        """Mark a delivery as replaced from a day on."""
        with self.connect() as connection:
            connection.execute(
                f"update raw.{feed} set _superseded_date = cast($1 as date) where _delivery like $2",
                [on, f"{feed}/{period}/v{version}-%"],
            )

    def record(self, feed: str, period: str, version: int = 1, outcome: str = "loaded", **facts: Any) -> None:
        """Keep the outcome of a delivery."""
        row = {"feed": feed, "period": period, "version": version, "outcome": outcome, **facts}
        with self.connect() as connection:
            self._insert(connection, "raw.delivery_outcomes", row)

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        with self.connect() as connection:
            for row in rows:
                self._insert(connection, table, row)

    def dbt(self, business_date: str, from_date: str, **variables: Any) -> None:
        """Build seeds, staging, intermediate and marts for a business date, with the tests of a business date."""
        build_marts(temporary_settings(self.folder), business_date, from_date, **variables)

    def dbt_on_top(self, business_date: str, from_date: str) -> None:
        """The same over an engine that has seeds and staging already; without tests, which `dbt` runs."""
        variables = {"business_date": business_date, "from_date": from_date}
        dbt.run_dbt(
            temporary_settings(self.folder),
            "path:models/intermediate path:models/marts",
            variables,
            without=f"{LATER} resource_type:test",
        )

    def rows(self, sql: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(sql).fetchall()

    @staticmethod
    def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
        marks = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        connection.execute(f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values()))


def build_marts(settings: Settings, business_date: str, from_date: str, **variables: Any) -> None:
    """Run dbt over everything up to the marts."""
    given = {"business_date": business_date, "from_date": from_date, **variables}
    dbt.run_dbt(settings, LAYERS, given, without=LATER)


def run_tests(settings: Settings, variables: dict[str, Any], selection: list[str]) -> list[RunResult]:
    """``dbt test`` over an engine, of the project as it was parsed beside it: parsing takes longer than the tests."""
    parsed_project = (dbt.target_path(settings) / "partial_parse.msgpack").read_bytes()
    manifest = Manifest.from_msgpack(parsed_project, decoder=extended_mashumuro_decoder)
    folder = settings.build.parent
    command = ["--quiet", "test", "--select", *selection, "--vars", yaml.safe_dump(variables)]
    command += ["--project-dir", str(dbt.DBT_PROJECT), "--profiles-dir", str(dbt.PROFILES)]
    command += ["--target-path", str(folder / "target"), "--log-path", str(folder / "logs")]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("C360_TARGET", settings.target)
        environment.setenv("C360_BUILD", str(settings.build))
        try:
            outcome = dbtRunner(manifest).invoke(command)
        finally:
            reset_adapters()
            DuckDBConnectionManager.close_all_connections()
    assert outcome.exception is None, outcome.exception
    return list(outcome.result.results)


def _filler(column: Any, day: str) -> Any:
    if column.allowed:
        return column.allowed[0]
    if column.type == "date":
        return day
    if column.type == "timestamp":
        return datetime.combine(date.fromisoformat(day), time(12))
    return FILLERS.get(column.type, 1)
