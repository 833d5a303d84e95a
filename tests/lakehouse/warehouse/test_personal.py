"""Whose a published row is: found by its key alike in both stores, and one that only mentions somebody is counted."""

from datetime import date

import pytest

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.personal import TableRows, rows_about
from tests.lakehouse.warehouse.built import Built

DAY, KEY, TOKEN = date(2026, 3, 1), "cif:1", "ab12"
TABLES = {  # name -> columns and rows
    "marts.dim_account": (
        "customer_key account_no_token authorised_key",
        [(KEY, TOKEN, "cif:2"), ("cif:2", "cd34", KEY)],
    ),
    "marts.fct_postings": ("account_no_token other_key", [(TOKEN, "cif:2"), ("cd34", KEY), ("cd34", "cif:3")]),
    "marts.edges": ("payer_key payee_key", [(KEY, "cif:2"), ("cif:2", "cif:3"), ("cif:12", "cif:3")]),
    "actions.sent": (
        "row_key",
        [('{"customer_key": "cif:1"}',), ('{"customer_key": "cif:12"}',), ("retention:cif:1:x",)],
    ),
    "marts.totals": ("branch_code", [("B1",)]),
}


@pytest.fixture
def found(any_settings: Settings) -> dict[str, TableRows]:
    built = Built(any_settings)
    for name, (columns, rows) in TABLES.items():
        values = ", ".join("(" + ", ".join(f"cast('{value}' as varchar)" for value in row) + ")" for row in rows)
        described = dict.fromkeys(columns.split(), "What it is")
        built.model(
            name, f"select * from (values {values}) as told ({columns.replace(' ', ', ')})", described=described
        )
    warehouse.publish(any_settings, DAY, "run 1")
    with warehouse.shown(any_settings) as shown:
        return {one.table: one for one in rows_about(shown, [KEY, "online:9"])}


def test_a_row_is_theirs_by_its_key_or_by_any_text_where_there_is_none(found: dict[str, TableRows]) -> None:
    told = {name: ([tuple(row.values()) for row in one.rows], one.mention_count) for name, one in found.items()}
    assert {name: told[name] for name in told if not name.startswith("ops.")} == {
        "marts.dim_account": ([TABLES["marts.dim_account"][1][0]], 1),
        "marts.fct_postings": ([(TOKEN, "cif:2")], 1),
        "marts.edges": ([(KEY, "cif:2")], 0),
        "actions.sent": ([('{"customer_key": "cif:1"}',), ("retention:cif:1:x",)], 0),
    }
    assert found["marts.edges"].columns == {"payer_key": "What it is", "payee_key": "What it is"}
