"""A copy of the store that stands alone: equal table by table, whole, for its owner only."""

import hashlib
import json
import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 3, 1)
FACTS = """
    select cast(number as varchar) as txn_id, cast(date '2026-01-30' + number as date) as business_date,
        cast(number * 1.25 as decimal(18,2)) as amount, number > 2 as is_late,
        cast(number / 3.0 as double precision) as share
    from (values (0), (1), (2), (30)) as numbers (number)
"""


@pytest.fixture
def published(any_settings: Settings) -> Settings:
    built = Built(any_settings)
    described = dict.fromkeys(("txn_id", "business_date", "amount", "is_late", "share"), "What it is")
    built.model("marts.facts", FACTS, partition_by="business_date", described=described)
    view = "select sum(amount) as amount from build_marts.facts"
    built.model("marts.total", view, "view", reads=("marts.facts",), described={"amount": "Sum"})
    warehouse.publish(any_settings, DAY, "run 1")
    return any_settings


def rows(settings: Settings, table: str) -> list[dict]:
    return sorted(warehouse.query_serving(settings, f"select * from {table}").to_pylist(), key=str)


def silent(_: str) -> None:
    """No progress."""


def test_a_snapshot_equals_the_store_on_another_path_when_that_is_gone(published: Settings, tmp_path: Path) -> None:
    wanted = {name: rows(published, name) for name in ("marts.facts", "marts.total", "ops.publications")}
    lines = []
    done = warehouse.export_snapshot(published, tmp_path / "out" / "bank.duckdb", False, lines.append)
    assert (done.publish_id, done.business_date) == (1, DAY)
    assert len(lines) == done.table_count
    assert (tmp_path / "out" / "bank.duckdb").stat().st_mode & 0o777 == 0o600
    shutil.rmtree(published.published, ignore_errors=True)
    path = (tmp_path / "out" / "bank.duckdb").rename(tmp_path / "elsewhere.duckdb")
    with duckdb.connect(path, read_only=True) as snapshot:
        for name, expected in wanted.items():
            assert sorted(snapshot.sql(f"from {name}").to_arrow_table().to_pylist(), key=str) == expected
        assert snapshot.sql("select comment from duckdb_columns() where column_name = 'amount'").fetchall() == [
            ("What it is [CNY]",),
            ("Sum [CNY]",),
        ]
        assert snapshot.sql("select count(*) from duckdb_views() where not internal").fetchall() == [(0,)]
    assert str(published.published).encode() not in path.read_bytes()


def test_parquet_files_are_as_their_manifest_says(published: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    warehouse.export_parquet(published, folder, False, silent)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["publish_id"], manifest["business_date"]) == (1, "2026-03-01")
    tables = {table["table"]: table for table in manifest["tables"]}
    facts = tables["marts.facts"]
    assert facts["rows"] == 4
    assert {column["name"]: column["type"] for column in facts["columns"]}["amount"] == "DECIMAL(18,2)"
    assert [column["comment"] for column in facts["columns"] if column["name"] == "share"] == ["What it is [1 = 100 %]"]
    assert {path.name for path in folder.iterdir()} == {"manifest.json", *(table["file"] for table in tables.values())}
    for table in tables.values():
        assert hashlib.sha256((folder / table["file"]).read_bytes()).hexdigest() == table["sha256"]
    read = duckdb.sql(f"from '{folder}/marts.facts.parquet'").to_arrow_table().to_pylist()
    assert sorted(read, key=str) == rows(published, "marts.facts")
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_what_is_there_stays_unless_it_is_to_be_replaced(published: Settings, tmp_path: Path) -> None:
    file, folder = tmp_path / "bank.duckdb", tmp_path / "out"
    file.write_text("mine")
    folder.mkdir()
    (folder / "mine").touch()
    with pytest.raises(Stop, match="--force"):
        warehouse.export_snapshot(published, file, False, silent)
    with pytest.raises(Stop, match="--force"):
        warehouse.export_parquet(published, folder, False, silent)
    assert file.read_text() == "mine"
    warehouse.export_snapshot(published, file, True, silent)
    warehouse.export_parquet(published, folder, True, silent)
    assert not (folder / "mine").exists()


def test_one_that_fails_leaves_nothing(published: Settings, tmp_path: Path) -> None:
    def fail(_: str) -> None:
        raise RuntimeError

    before = set(tmp_path.iterdir())
    with pytest.raises(RuntimeError):
        warehouse.export_snapshot(published, tmp_path / "bank.duckdb", False, fail)
    with pytest.raises(RuntimeError):
        warehouse.export_parquet(published, tmp_path / "out", False, fail)
    assert set(tmp_path.iterdir()) == before
