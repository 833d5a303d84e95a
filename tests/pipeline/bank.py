"""A small simulated bank for pipeline tests: its deliveries, day by day, and what readers see of it."""

import gzip
import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import duckdb

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import target_path
from tests.conftest import temporary_settings

READER_SCHEMAS = ("marts", "features", "scores", "actions")
ABSTAINS = tuple(  # few enterprises, hardly a lead who opens an account, few who leave or take their wealth away
    f"scores.{task}{latest}"
    for task in ("enterprise_liquidity", "lead_conversion", "uplift_retention", "wealth_churn")
    for latest in ("", "_latest")
)
EMPTY = (*ABSTAINS, "marts.tags", "marts.customer_tags", "actions.case_events")  # people have written nothing
RUN_COLUMNS = ("run_id", "scored_at", "published_at")  # the only columns that differ between equal runs


def deployment_at(folder: Path, landing: Path, **overrides: object) -> Settings:
    """Settings below ``folder`` that read the given landing folder."""
    return temporary_settings(folder, landing=landing, **overrides)


def copy_of(source: Settings, folder: Path, landing: Path | None = None) -> Settings:
    """The same installation in another folder; it may go on with other deliveries."""
    for name in ("lake", "published"):
        shutil.copytree(getattr(source, name), folder / name)
    for name in ("build.duckdb", "warehouse.duckdb"):
        shutil.copyfile(source.lake.parent / name, folder / name)
    copied = deployment_at(folder, landing or source.landing)
    warehouse.relocate(copied)
    shutil.copytree(target_path(source), target_path(copied))  # the parsed project: parsing takes longer than a day
    return copied


def content(store: Path) -> dict[str, tuple[int, int]]:
    """(rows, order-independent hash of every column but the run's) of every published table."""
    with duckdb.connect(str(store), read_only=True) as connection:
        tables = connection.execute(
            "select table_schema, table_name from information_schema.tables "
            f"where table_schema in {READER_SCHEMAS} order by all"
        ).fetchall()
        return {f"{schema}.{table}": _hash(connection, schema, table) for schema, table in tables}


def _hash(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> tuple[int, int]:
    described = connection.execute(f'describe "{schema}"."{table}"').fetchall()
    columns = ", ".join(f'"{name}"' for name, *_ in described if name not in RUN_COLUMNS)
    return connection.execute(
        f'select count(*), coalesce(sum(hash({columns})::hugeint), 0) from "{schema}"."{table}"'
    ).fetchone()


def deliver(source: Path, landing: Path, up_to: date) -> None:
    """Copy every delivery with a cut-off up to the date: what a bank would have sent by then."""
    for manifest in source.glob("*/*.manifest.json"):
        described = json.loads(manifest.read_text())
        if date.fromisoformat(described["cutoff_at"][:10]) <= up_to:
            folder = landing / manifest.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            for name in (*(file["name"] for file in described["files"]), manifest.name):
                shutil.copyfile(manifest.parent / name, folder / name)


def send_events(landing: Path, name: str, *rows: dict) -> None:
    """Put a micro-batch of postings into the landing folder."""
    folder = landing / "intraday" / "transactions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))


def lines_of(landing: Path, feed: str, period: str, version: int = 1) -> list[str]:
    """The lines of a delimited UTF-8 delivery, header first."""
    return (landing / feed / f"{feed}_{period}_v{version}.dat").read_text().splitlines()


def send(landing: Path, feed: str, day: date, lines: list[str]) -> None:
    """Write a day's delivery of a delimited UTF-8 feed without control sums."""
    name = f"{feed}_{day}_v1"
    data = ("\n".join(lines) + "\n").encode()
    file = {"name": f"{name}.dat", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"feed": feed, "period": str(day), "version": 1, "load": "daily", "control_sums": {}, "files": [file]}
    manifest |= {"cutoff_at": f"{day}T23:59:59+08:00", "row_count": len(lines) - 1}
    (landing / feed).mkdir(parents=True, exist_ok=True)
    (landing / feed / f"{name}.dat").write_bytes(data)
    (landing / feed / f"{name}.manifest.json").write_text(json.dumps(manifest))


def redeliver(landing: Path, feed: str, period: str, version: int, lines: list[str], cutoff: date) -> None:
    """Write a delivery of a delimited UTF-8 feed with a manifest that agrees with it."""
    name = f"{feed}_{period}_v{version}"
    data = ("\n".join(lines) + "\n").encode()
    (landing / feed / f"{name}.dat").write_bytes(data)
    before = json.loads((landing / feed / f"{feed}_{period}_v1.manifest.json").read_text())
    header = lines[0].split("|")
    sums = {
        column: f"{sum(round(100 * float(line.split('|')[header.index(column)])) for line in lines[1:]) / 100:.2f}"
        for column in before["control_sums"]
    }
    manifest = before | {
        "version": version,
        "cutoff_at": f"{cutoff}T23:59:59+08:00",
        "row_count": len(lines) - 1,
        "control_sums": sums,
        "files": [{"name": f"{name}.dat", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}],
    }
    (landing / feed / f"{name}.manifest.json").write_text(json.dumps(manifest))
