"""A limit that is missing stops the build by name: a cap that silently vanishes would be none."""

import csv
import re
from typing import Any

import duckdb
import pytest
import yaml

from lakehouse.settings import PROJECT
from lakehouse.warehouse import DbtFailed, dbt
from tests.conftest import temporary_settings
from tests.dbt.bank import Bank

DBT = PROJECT / "dbt_project"
DAY = {"business_date": "2025-01-01", "from_date": "2025-01-01"}


def guarded() -> dict[str, dict[str, Any]]:
    """Seed -> the arguments of its test ``has_rows``."""
    found = {}
    for path in (DBT / "seeds").glob("*.yml"):
        for seed in yaml.safe_load(path.read_text()).get("seeds", []):
            for test in seed.get("data_tests", []):
                if isinstance(test, dict) and "has_rows" in test:
                    found[seed["name"]] = test["has_rows"]["arguments"]
    return found


def test_every_limit_that_a_model_reads_is_guarded() -> None:
    guards = guarded()
    read = set()
    for folder in ("models", "macros"):
        for path in (DBT / folder).rglob("*.sql"):
            read |= set(re.findall(r"limit\('(\w+)', '(\w+)'\)", path.read_text()))
    assert len(read) > 40
    assert {(seed, name) for seed, name in read if name not in guards.get(seed, {}).get("rows", [])} == set()


def test_the_guards_know_every_row_of_their_seed() -> None:
    for name, guard in guarded().items():
        with (DBT / "seeds" / f"{name}.csv").open(encoding="utf-8") as lines:
            keys = [":".join(row[column] for column in guard["key"]) for row in csv.DictReader(lines)]
        assert keys == guard["rows"], name


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bank, dict[str, str]]:
    """A bank with seeds alone, and the SQL of the guards, by seed."""
    bank = Bank(tmp_path_factory.mktemp("limits"))
    settings = temporary_settings(bank.folder)
    dbt.run_dbt(settings, "test_name:has_rows resource_type:seed", DAY)
    statements = {}
    for path in (dbt.target_path(settings) / "compiled").rglob("has_rows_*.sql"):
        text = path.read_text()
        (seed,) = set(re.findall(r"the seed (\w+) needs", text))
        statements[seed] = text
    return bank, statements


def verdict(connection: duckdb.DuckDBPyConnection, statement: str) -> str:
    """What a run says: "" if all is well, else the error."""
    try:
        assert connection.execute(f"select count(*) from ({statement}) as failures").fetchall() == [(0,)]
    except duckdb.ConversionException as error:
        return str(error)
    return ""


def test_a_row_that_is_deleted_misspelled_doubled_or_empty_is_named(compiled: tuple[Bank, dict[str, str]]) -> None:
    bank, statements = compiled
    guards = guarded()
    assert set(statements) == set(guards)
    count = 0
    with bank.connect() as connection:
        for seed, guard in guards.items():
            table, statement = f"build_seeds.{seed}", statements[seed]
            assert verdict(connection, statement) == ""
            key = " || ':' || ".join(f"coalesce(cast({column} as varchar), '')" for column in guard["key"])
            text = next(column for column in guard["key"] if column != "star_tier")
            damages = [
                f"delete from {table} where {key} = $1",
                f"update {table} set {text} = {text} || 's' where {key} = $1",
                f"insert into {table} select * from {table} where {key} = $1",
                *(f"update {table} set {column} = null where {key} = $1" for column in guard["values"][:1]),
            ]
            for row in guard["rows"]:
                for damage in damages:
                    connection.execute("begin")
                    connection.execute(damage, [row])
                    said = verdict(connection, statement)
                    connection.execute("rollback")
                    assert seed in said and row in said, (damage, row, said)
                    count += 1
    assert count > 400


def test_a_critical_element_that_is_no_column_stops_the_build_with_its_name(
    compiled: tuple[Bank, dict[str, str]],
) -> None:
    bank, _ = compiled
    with bank.connect() as connection:
        connection.execute(
            "update build_seeds.critical_elements set element = 'marts.customer_360.aum_total' "
            "where element = 'marts.customer_360.aum_amount'"
        )
    with pytest.raises(DbtFailed, match=r"the seed critical_elements names what is no column .*\.aum_total"):
        dbt.run_dbt(temporary_settings(bank.folder), "critical_elements,test_name:names_measured_columns", DAY)


def test_a_build_stops_with_the_name_of_the_seed_and_of_the_row(compiled: tuple[Bank, dict[str, str]]) -> None:
    bank, _ = compiled
    with bank.connect() as connection:
        connection.execute("delete from build_seeds.contact_limits where threshold = 'contacts_30d'")
    with pytest.raises(DbtFailed, match=r"the seed contact_limits needs one row.*contacts_30d"):
        dbt.run_dbt(temporary_settings(bank.folder), "contact_limits,test_name:has_rows", DAY)
