"""The bank of `make bench-charts` is that of the store, so many times over; its questions are those of the charts."""

import duckdb
import pytest

from benchmarks import charts

FLOWS = """
    create table build_marts.fund_flow_groups_daily as
    select date '2025-01-01' + cast(day as int) as business_date, 'salary' as counterparty_class,
        'B1' as home_branch_code, if(day % 2 = 0, 'S1', null) as rm_id,
        cast(3 as decimal(38, 2)) as inflow_amount, cast(1 as decimal(38, 2)) as outflow_amount
    from range(40) as days(day)
"""


@pytest.fixture
def build() -> duckdb.DuckDBPyConnection:
    build = duckdb.connect()
    build.execute("create schema build_marts")
    return build


def enlarged(build: duckdb.DuckDBPyConnection, table: str, select: str, copies: int) -> tuple:
    rows = charts.copies_of(build, f"build_marts.{table}", copies)
    return build.execute(f"select {select} from ({rows})").fetchone()


def test_customers_have_keys_of_their_own_and_share_branches(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("""
        create table build_marts.customer_360 as
        select 'c' || number as customer_key, 'B1' as home_branch_code, 'S1' as rm_id, 5 as amount
        from range(3) as numbers(number)
    """)
    counted = "count(*), count(distinct customer_key), count(distinct rm_id), count(distinct home_branch_code)"
    found = enlarged(build, "customer_360", f"{counted}, sum(amount)", 20)
    assert found == (60, 60, 20, charts.BRANCHES, 300)


def test_a_table_of_branches_has_no_copy_for_each_customer(build: duckdb.DuckDBPyConnection) -> None:
    build.execute("create table build_marts.leak_watch as select 'B1' as branch_code, 5 as amount")
    build.execute("create table build_marts.channel_daily as select 'app' as channel, 5 as amount")
    assert enlarged(build, "leak_watch", "count(*), count(distinct branch_code)", 20) == (charts.BRANCHES,) * 2
    assert enlarged(build, "channel_daily", "count(*)", 20) == (1,)


def test_money_of_groups_is_added_up_and_stays_within_its_days(build: duckdb.DuckDBPyConnection) -> None:
    build.execute(FLOWS)
    shown = "count(*), sum(inflow_amount), sum(outflow_amount), min(business_date), max(business_date)"
    count, inflow, outflow, first, last = enlarged(build, "fund_flow_groups_daily", shown, 20)
    assert (inflow, outflow, str(first), str(last)) == (2400, 800, "2025-01-01", "2025-02-09")
    assert 40 * charts.BRANCHES <= count <= 40 * 20


def test_a_chart_is_asked_by_month_group_and_condition() -> None:
    parameters: charts.Parameters = {
        "viz_type": "echarts_timeseries_bar", "row_limit": 1000, "metrics": ["net_new_money"],
        "x_axis": "business_date", "time_grain_sqla": "P1M", "groupby": ["counterparty_class"],
        "adhoc_filters": [
            {"expressionType": "SIMPLE", "subject": "days_before_last", "operator": "<", "comparator": 31},
            {"expressionType": "SQL", "sqlExpression": "amount > 0"},
        ],
    }  # fmt: skip
    (query,) = charts.question_of(7, 8, parameters)["queries"]
    axis, group = query["columns"]
    assert (axis["sqlExpression"], axis["timeGrain"], group) == ("business_date", "P1M", "counterparty_class")
    assert query["filters"] == [{"col": "days_before_last", "op": "<", "val": 31}]
    assert query["extras"] == {"where": "(amount > 0)", "time_grain_sqla": "P1M"}
