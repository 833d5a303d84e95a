"""Readers see what was built: changed partitions only, all at one moment, nothing private."""

from datetime import date, timedelta

import bank
import pytest

from c360 import warehouse

FIRST = date(2026, 1, 30)


@pytest.fixture
def history(any_settings):
    """Four days of postings over two months."""
    for offset in range(4):
        day = FIRST + timedelta(days=offset)
        bank.deliver(any_settings.lake, "transactions", day, [bank.posting(offset * 10 + n, day) for n in range(10)])
    return any_settings


def publications(settings):
    return {
        f"{row['schema_name']}.{row['table_name']}": row
        for row in warehouse.query_serving(settings, "select * from ops.publications").to_pylist()
    }


def test_every_model_is_published_with_one_publish_id(history, run_day):
    publish_id = run_day(history, FIRST + timedelta(days=3), FIRST)
    told = publications(history)
    assert set(told) == {
        "marts.fct_transactions",
        "marts.dim_account",
        "marts.account_days",
        "ops.deliveries",
        "ops.runs",
    }
    assert {row["publish_id"] for row in told.values()} == {publish_id}
    assert told["marts.fct_transactions"]["row_count"] == 40
    days = warehouse.query_serving(history, "select cast(sum(txn_count) as bigint) as n from marts.account_days")
    assert days.to_pylist() == [{"n": 40}]
