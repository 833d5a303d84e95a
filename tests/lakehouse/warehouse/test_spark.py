"""Rows that go and come on Spark as on DuckDB, where Parquet knows no `delete`; and what its contracts hold."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from lakehouse import lake, warehouse
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import DbtFailed, dbt
from tests.conftest import temporary_settings

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]
Row = tuple[str, str, str, int]
ROWS = """
{{{{ config(
    materialized='{kind}', incremental_strategy='{strategy}', date_column='business_date', on_schema_change='fail',
    tags=['marts']
) }}}}
{after}
select
    cast(null as date) as business_date,
    cast(null as varchar) as customer_key,
    cast(null as varchar) as history_hash,
    cast(null as integer) as n
where 1 = 0
{{%- for day, customer, history, n in var('{rows}') %}}
union all
select cast('{{{{ day }}}}' as date), '{{{{ customer }}}}', {{{{ history }}}}, {{{{ n }}}}
{{%- endfor %}}
"""
STRATEGIES = ("replace_dates", "replace_as_of_dates", "replace_histories")
HISTORIES = "int_customer__histories"
AFTER = f"-- depends_on: {{{{ ref('{HISTORIES}') }}}}"
CONTRACT = """
models:
  - name: kept
    config: {contract: {enforced: true}}
    columns:
      - {name: customer_key, data_type: varchar}
      - {name: history_hash, data_type: varchar, constraints: [{type: not_null}]}
      - {name: n, data_type: VAR}
"""
LEFT_OUT = "{{ config(tags=['whole_history']) }} select * from {{ ref('kept') }} where false"
KEPT = "select customer_key, history_hash, n from {{ ref('replace_dates') }}"


@pytest.fixture(params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An engine that builds a project of one table for every strategy, and one with a contract, from given rows."""
    folder = tmp_path / "project"
    text = (Path(__file__).parent / "project" / "dbt_project.yml").read_text()
    models = {name: ROWS.format(kind="incremental", strategy=name, rows="rows", after=AFTER) for name in STRATEGIES}
    models[HISTORIES] = ROWS.format(kind="table", strategy="", rows="histories", after="")
    files = {f"models/marts/{name}.sql": sql for name, sql in models.items()}
    files["dbt_project.yml"] = text.replace("../../../../dbt_project", str(PROJECT / "dbt_project"))
    files["models/marts/kept.sql"] = KEPT
    files["tests/assert_whole_history.sql"] = LEFT_OUT
    files["models/marts/kept.yml"] = CONTRACT.replace("VAR", "integer")
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    monkeypatch.setattr(dbt, "DBT_PROJECT", folder)
    settings = temporary_settings(tmp_path, target=request.param)
    warehouse.attach(settings, lake.pin(settings.lake, date(2026, 3, 31)), None)
    return settings


def build(settings: Settings, from_date: str, rows: Sequence[Row], histories: Sequence[Row] = ()) -> None:
    variables = {"business_date": "2026-03-31", "from_date": from_date, "as_of_dates": [from_date]}
    given = {"rows": quoted(rows), "histories": quoted(histories)}
    warehouse.run_dbt(settings, "tag:marts", variables | given)


def quoted(rows: Sequence[Row]) -> list[Row]:
    return [(day, customer, f"'{history}'" if history else "null", n) for day, customer, history, n in rows]


def stand(settings: Settings, table: str) -> list[int]:
    found = warehouse.query(settings, f"select n from build_marts.{table} order by n").to_pylist()
    return [row["n"] for row in found]


def test_rows_go_and_come_by_date_by_as_of_date_and_by_history(engine: Settings) -> None:
    """A month that is emptied, one that is touched in part, one that is new; a history that changed, and one gone."""
    old = [("2026-01-15", "a", "x", 1), ("2026-01-20", "b", "y", 2), ("2026-02-10", "a", "x", 3)]
    old += [("2026-03-05", "c", "z", 4), ("2026-03-06", "c", "z", 5)]
    histories = [("2026-01-01", customer, history, 0) for customer, history in (("a", "x"), ("b", "y"), ("c", "z"))]
    build(engine, "2026-01-01", old, histories)
    assert [stand(engine, name) for name in STRATEGIES] == [[1, 2, 3, 4, 5]] * 3

    build(engine, "2026-03-06", [("2026-03-06", "c", "z", 6), ("2026-03-07", "c", "z", 7)], histories)
    assert stand(engine, "replace_dates") == [1, 2, 3, 4, 6, 7]
    assert stand(engine, "replace_as_of_dates") == [1, 2, 3, 4, 6, 7]

    build(engine, "2026-03-05", [], histories)
    assert stand(engine, "replace_dates") == [1, 2, 3], "a month without rows is empty"
    assert stand(engine, "replace_as_of_dates") == [1, 2, 3, 6, 7]

    build(engine, "2026-03-31", [("2026-01-15", "a", "w", 8)], [("2026-01-01", "a", "w", 0), histories[2]])
    assert stand(engine, "replace_histories") == [8], "a has another history, b is no more"
    assert stand(engine, "replace_dates") == [1, 2, 3, 8]

    build(engine, "2026-03-31", [], [])
    assert stand(engine, "replace_histories") == []
    build(engine, "2026-03-31", [("2026-03-31", "a", "w", 9)], [("2026-01-01", "a", "w", 0)])
    assert stand(engine, "replace_histories") == [9], "a table that was emptied takes rows again"


def test_a_null_or_another_type_than_the_contract_has_stops_the_build(engine: Settings) -> None:
    build(engine, "2026-03-01", [("2026-03-05", "a", "x", 1)])
    with pytest.raises(DbtFailed, match=r"(?is)kept.*(history_hash is null|NOT NULL constraint failed)"):
        build(engine, "2026-03-06", [("2026-03-06", "a", "", 2)])
    contract = dbt.DBT_PROJECT / "models" / "marts" / "kept.yml"
    contract.write_text(CONTRACT.replace("VAR", "bigint"))
    warehouse.drop_build(engine)
    warehouse.attach(engine, lake.pin(engine.lake, date(2026, 3, 31)), None)
    with pytest.raises(DbtFailed, match=r"(?is)kept.*contract.*\bn\b.*bigint"):
        build(engine, "2026-03-01", [("2026-03-05", "a", "x", 1)])
