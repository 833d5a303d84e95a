"""How incremental tables are replaced on DuckDB: by the names of their columns, and not at all if these differ."""

from pathlib import Path

import pytest

from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import DbtFailed, dbt, query

MODEL = """
{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='business_date',
    on_schema_change='fail', tags=['marts']
) }}
select cast('{{ var("business_date") }}' as date) as business_date, {{ var('columns') }}
"""
LEFT_OUT = "{{ config(tags=['whole_history']) }} select * from {{ ref('standing') }} where false"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dbt project of one incremental model, whose columns are those of a variable."""
    folder = tmp_path / "project"
    text = (Path(__file__).parent / "project" / "dbt_project.yml").read_text()
    files = {
        "dbt_project.yml": text.replace("../../../../dbt_project", str(PROJECT / "dbt_project")),
        "models/marts/standing.sql": MODEL,
        "tests/assert_whole_history.sql": LEFT_OUT,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.setattr(dbt, "DBT_PROJECT", folder)


def test_new_rows_are_matched_by_name_and_other_columns_stop_the_build(settings: Settings, project: None) -> None:
    def build(day: int, columns: str) -> None:
        date = f"2026-03-{day:02}"
        dbt.run_dbt(settings, "tag:marts", {"business_date": date, "from_date": date, "columns": columns})

    def rows() -> list[tuple[int, str]]:
        found = query(settings, "select one, two from build_marts.standing order by business_date").to_pylist()
        return [(row["one"], row["two"]) for row in found]

    build(2, "1 as one, 'a' as two")
    build(3, "'b' as two, 2 as one")
    build(3, "'c' as two, 3 as one")
    assert rows() == [(1, "a"), (3, "c")]
    for columns, named in (
        ("4 as one", "two VARCHAR"),
        ("4 as one, 'd' as two, 0 as more", "more INTEGER"),
        ("4.5 as one, 'd' as two", r"one DECIMAL\(2,1\), one INTEGER"),
    ):
        with pytest.raises(DbtFailed, match=rf"differ in columns: {named}\. Build it with --full-refresh"):
            build(3, columns)
    assert rows() == [(1, "a"), (3, "c")], "nothing was deleted"
