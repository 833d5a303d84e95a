"""Another user of the machine reads the store and nothing else."""

from pathlib import Path

import pytest

from tests.pipeline.conftest import Undisturbed

OTHERS = 0o077


@pytest.fixture
def made(shared: Path, day_by_day: Undisturbed) -> Path:
    """The folder in which the days were run, whose modes no copy has changed."""
    del day_by_day  # it must have been run
    return shared / "undisturbed"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_lake_build_engine_and_pages_are_closed(made: Path) -> None:
    written = [made / "build.duckdb", *(made / "lake").rglob("*"), *(made / "data_docs").rglob("*")]
    assert {path.suffix for path in written} >= {".duckdb", ".parquet", ".json", ".html"}
    assert [str(path) for path in written if mode(path) & OTHERS] == []


def test_the_store_is_open(made: Path) -> None:
    files = list((made / "published").rglob("*.parquet"))
    folders = {made / "published", *(folder for folder in (made / "published").rglob("*") if folder.is_dir())}
    assert files
    assert {mode(path) for path in (*files, made / "warehouse.duckdb")} == {0o644}
    assert {mode(path) for path in folders} == {0o755}
