"""Postgres builds from the same rows what DuckDB builds: after a full load, and after days on top."""

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from lakehouse.settings import Settings
from tests.dbt import quarter
from tests.dbt.bank import Bank, build_marts
from tests.dbt.test_incremental import tables


def copy_raw(bank: Bank, dsn: str) -> None:
    """Replace the raw tables of a Postgres database by those of the bank's build engine."""
    with psycopg.connect(dsn) as connection:
        for schema in ("raw", "quarantine"):
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        for name, columns in bank.tables.items():
            table = sql.Identifier(*name.split("."))
            typed = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind in columns.items()]
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            connection.execute(sql.SQL("create table if not exists {} ({})").format(table, sql.SQL(", ").join(typed)))
            connection.execute(sql.SQL("truncate {}").format(table))
            with connection.cursor().copy(sql.SQL("copy {} ({}) from stdin").format(table, names)) as copy:
                for row in bank.rows(f"select {', '.join(columns)} from {name}"):
                    copy.write_row(row)


@pytest.mark.full  # as is tests/pipeline/test_parity.py, which compares all tables of a bank on both engines
@pytest.mark.timeout(1800)  # eight builds, if this test is the first to need the bank
def test_engines_agree(tmp_path: Path, postgres_settings: Settings, postgres_dsn: str, daily_bank: Bank) -> None:
    bank = Bank(tmp_path)
    quarter.deliver_initial(bank)
    copy_raw(bank, postgres_dsn)
    build_marts(postgres_settings, quarter.INITIAL_DATE, quarter.FIRST_DATE)
    for business_date, from_date in quarter.DAYS:
        quarter.deliver_day(bank, business_date)
        copy_raw(bank, postgres_dsn)
        build_marts(postgres_settings, business_date, from_date)

    differing = []
    with psycopg.connect(postgres_dsn) as postgres:
        for name in tables(daily_bank):
            columns = [column for (column,) in daily_bank.rows(f"select name from pragma_table_info('{name}')")]
            query = f"select {', '.join(columns)} from {name}"
            duckdb_rows, postgres_rows = daily_bank.rows(query), postgres.execute(query).fetchall()
            if sorted(duckdb_rows, key=repr) != sorted(postgres_rows, key=repr):
                differing.append((name, set(duckdb_rows) ^ set(postgres_rows)))
    assert not differing
