"""The sources and the staging views say what the contracts say."""

import re

import pytest

from lakehouse.contracts import Feed, load_feeds
from lakehouse.warehouse import dbt_sources
from tests.dbt.bank import Bank


def test_generated_files_are_current() -> None:
    written = dbt_sources.written()
    ours = set((dbt_sources.STAGING / "pii").iterdir())  # written by hand
    assert {path for path in dbt_sources.STAGING.rglob("*") if path.is_file()} - ours == written.keys()
    for path, text in written.items():
        assert path.read_text() == text, f"{path}: run python -m lakehouse.warehouse.dbt_sources"


@pytest.mark.parametrize("feed", load_feeds().values(), ids=lambda feed: feed.name)
def test_staging_keeps_every_column_of_the_contract(full_bank: Bank, feed: Feed) -> None:
    view = f"staging.stg_{feed.channel}__{feed.name}"
    expected = {column: kind.upper() for column, kind in feed.lake_columns} | {"_delivery": "VARCHAR"}
    if dbt_sources.party_column(feed):
        expected["party_key"] = "VARCHAR"
    versions = feed.name in dbt_sources.VERSIONED
    for name in (view, f"{view}_versions") if versions else (view,):
        expected_here = expected | ({"_superseded_date": "DATE"} if versions else {})
        found = dict(full_bank.rows(f"select name, type from pragma_table_info('{name}')"))
        assert found == expected_here


def test_personal_data_stays_out_of_what_is_published(full_bank: Bank) -> None:
    personal = {column.name for feed in load_feeds().values() for column in feed.columns if column.is_pii}
    columns = full_bank.rows(
        """select table_name, column_name from information_schema.columns
           where table_schema in ('build_marts', 'build_intermediate') and data_type <> 'BOOLEAN'"""
    )  # that a phone number is known does not say which
    assert len(columns) > 200
    allowed = {("dim_product", "product_name"), ("daily_figures", "table_name")}
    leaks = {
        (table, column)
        for table, column in columns
        if any(re.fullmatch(rf"(.*_)?{name}", column) for name in personal) and (table, column) not in allowed
    }
    assert {
        leak for leak in leaks if not leak[1].endswith(("branch_name", "holiday_name", "event_name", "use_name"))
    } == set()
