"""Every metric equals SQL of its own; a definition changed in one place changes all that show it."""

import json
from datetime import date, timedelta
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from c360 import metrics
from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse import dbt
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed

BEFORE = "('new', 'prospect', 'lost')"
OWN_CHANNELS = "('app', 'web', 'mall', 'branch', 'atm', 'phone')"
BALANCES = """
    select sum(coalesce(bank_balance_amount, balance_amount)) from (
        select facts.balance_amount, facts.bank_balance_amount, facts.business_date,
            max(facts.business_date) over (partition by facts.account_no_token) as newest
        from marts.fct_balances_daily as facts inner join marts.dim_account as accounts using (account_no_token)
        where accounts.customer_key is not null
    ) as balances where business_date = newest
"""
HOLDINGS = """
    select sum(market_value_amount) from (
        select facts.market_value_amount, facts.business_date,
            max(facts.business_date) over (partition by facts.holding_id) as newest
        from marts.fct_holdings_daily as facts inner join marts.dim_party as parties using (party_key)
        where parties.customer_key is not null
    ) as holdings where business_date = newest
"""
ADJUSTMENTS = "select coalesce(sum(amount), 0) from ops.adjustments where is_counted"  # a bank may have none
TIER_MOVES = """
    select star_tier, earlier from (
        select customer_key, star_tier,
            lag(star_tier) over (partition by customer_key order by as_of_date) as earlier,
            lag(as_of_date) over (partition by customer_key order by as_of_date) as earlier_date
        from marts.customer_positions
    ) as months inner join (select customer_key, first_opened_date from marts.customer_360) as customers
        using (customer_key)
    where earlier_date - 89 >= greatest(first_opened_date, (select min(business_date) from marts.fct_balances_daily))
"""
# Each figure over all time, asked of other tables than those of the semantic models where there are others.
EXPECTED = {
    "customers": "select count(distinct customer_key) from marts.dim_account where status <> 'closed'",
    "aum": f"select ({BALANCES}) + ({HOLDINGS})",
    "deposits": BALANCES,
    "aum_adjustments": ADJUSTMENTS,
    "adjusted_aum": f"select ({BALANCES}) + ({HOLDINGS}) + ({ADJUSTMENTS})",
    "adjusted_deposits": f"select ({BALANCES}) + ({ADJUSTMENTS} and element like '%deposit_amount')",
    "money_at_risk": """
        select sum(aum_amount * probability) from marts.customer_360 inner join scores.churn_latest using (customer_key)
    """,
    "customers_left": """
        select count(*) from (
            select life_cycle_stage,
                lag(life_cycle_stage) over (partition by customer_key order by as_of_date) as earlier
            from marts.customer_positions
        ) where life_cycle_stage = 'lost' and earlier not in ('lost', 'prospect')
    """,
    "churn_rate": f"""
        select cast(count(*) filter (where life_cycle_stage = 'lost') as double) / count(*) from (
            select life_cycle_stage,
                lag(life_cycle_stage) over (partition by customer_key order by as_of_date) as earlier
            from marts.customer_360_monthly
        ) where earlier not in {BEFORE}
    """,
    "tier_rises": f"select count(*) from ({TIER_MOVES}) where star_tier > earlier",
    "tier_falls": f"select count(*) from ({TIER_MOVES}) where star_tier < earlier",
    "net_new_money": """
        select sum(transactions.signed_amount)
        from marts.fct_transactions as transactions
        inner join marts.dim_account as accounts using (account_no_token)
        where accounts.customer_key is not null and transactions.counterparty_class
            not in ('opening', 'own_transfer', 'own_product', 'bank', 'loan_grant')
    """,
    "leak": "select sum(leak_30d_amount) from marts.leaking_customers",
    "available": "select sum(available_30d_amount) from marts.leak_watch",
    "leak_rate": """
        select (select sum(leak_30d_amount) from marts.leaking_customers)
            / cast(sum(available_30d_amount) as double) from marts.leak_watch
    """,
    "balance_break_count": "select count(*) from marts.balance_breaks",
    "online_touches": """
        select sum(txn_count + event_count) from marts.channel_daily where channel in ('app', 'web', 'mall')
    """,
    "service_touches": f"select sum(txn_count + event_count) from marts.channel_daily where channel in {OWN_CHANNELS}",
    "online_share": f"""
        select cast(sum(txn_count + event_count) filter (where channel in ('app', 'web', 'mall')) as double)
            / sum(txn_count + event_count) from marts.channel_daily where channel in {OWN_CHANNELS}
    """,
    "applications": "select count(*) from marts.journey_handovers",
    "handovers": "select count(*) from marts.journey_handovers where outcome = 'finished_at_branch'",
    "handover_rate": """
        select cast(count(*) filter (where outcome = 'finished_at_branch') as double) / count(*)
        from marts.journey_handovers
    """,
    "leads": "select sum(lead_count) from marts.acquisition_monthly",
    "acquired_customers": "select sum(acquired_count) from marts.acquisition_monthly",
    "acquisition_cost": "select sum(cost_amount) from marts.acquisition_monthly",
    "cost_per_acquired": """
        select cast(sum(cost_amount) as double) / sum(acquired_count) from marts.acquisition_monthly
    """,
    "watch_list": "select count(*) from marts.credit_watch where band <> 'green'",
    "expected_loss": "select sum(expected_loss_amount) from marts.credit_watch",
    "retention_success": """
        select 1 - sum(treated_left_count) / cast(sum(treated_count) as double) from marts.action_effects
    """,
    "control_success": """
        select 1 - sum(control_left_count) / cast(sum(control_count) as double) from marts.action_effects
    """,
    "uplift": """
        select sum(control_left_count) / cast(sum(control_count) as double)
            - sum(treated_left_count) / cast(sum(treated_count) as double) from marts.action_effects
    """,
    "deliveries": "select count(*) from ops.deliveries",
    "rejected_deliveries": "select count(*) from ops.deliveries where outcome = 'rejected'",
    "rejected_rows": "select count(distinct (source_file, source_row)) from ops.rejects where source_row is not null",
    "quarantine_rate": """
        select sum(rows_quarantined) / cast(sum(rows_delivered) as double) from ops.deliveries
    """,
}


def figure(settings: Settings, name: str) -> float | None:
    ((value,),) = metrics.query_metrics(settings, [name]).rows
    return None if value is None else float(value)


def test_every_metric_is_described_in_both_languages_and_has_a_test(history: Settings) -> None:
    listed = metrics.list_metrics(history)
    assert {metric.name for metric in listed} == EXPECTED.keys()
    assert all(all(vars(metric).values()) for metric in listed)
    units = {metric.name: metric.unit for metric in listed}
    assert (units["aum"], units["churn_rate"], units["customers"]) == ("CNY", "1 = 100 %", "customers")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_metric_equals_sql_of_its_own(day_by_day: Undisturbed, name: str) -> None:
    rows = warehouse.query_serving(day_by_day.settings, f"select ({EXPECTED[name]}) as figure").to_pylist()
    expected = rows[0]["figure"]
    assert figure(day_by_day.settings, name) == pytest.approx(expected and float(expected), rel=1e-9)


def test_a_figure_of_a_date_is_that_of_the_last_date_of_each_period(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    first = date(2025, 1, 1)
    shown = metrics.query_metrics(settings, ["aum", "customers"], ["month", "home_branch_code"], first, D3)
    assert shown.columns == ("month", "home_branch_code", "aum", "customers")
    expected = warehouse.query_serving(
        settings,
        "select as_of_date, home_branch_code, sum(aum_amount) as aum, "
        "sum(case when asset_count > 0 then 1 else 0 end) as customers from marts.customer_360_monthly "
        f"where as_of_date between date '{first}' and date '{LAST_OF_HISTORY}' "
        "and as_of_date < (select max(as_of_date) from marts.customer_360) group by all union all "
        "select as_of_date, home_branch_code, sum(aum_amount), sum(case when asset_count > 0 then 1 else 0 end) "
        "from marts.customer_360 group by all",
    ).to_pylist()
    assert {(row[0], row[1]): row[2:] for row in shown.rows} == {
        (row["as_of_date"].replace(day=1), row["home_branch_code"]): (row["aum"], row["customers"]) for row in expected
    }
    for by in ((), ("month",)):  # the 15th of a month is no date of a figure
        rows = metrics.query_metrics(settings, ["aum"], by, last=date(2025, 2, 15)).rows
        assert rows[-1][-1] == sum(row["aum"] for row in expected if row["as_of_date"] == date(2025, 1, 31))


def test_sums_hold_over_any_division(day_by_day: Undisturbed) -> None:
    settings, last = day_by_day.settings, timedelta(days=400)
    for name, by in (("net_new_money", "star_tier"), ("net_new_money", "month"), ("leak", "home_branch_code")):
        parts = metrics.query_metrics(settings, [name], [by], D3 - last).rows
        ((whole,),) = metrics.query_metrics(settings, [name], (), D3 - last).rows
        assert sum(value or Decimal(0) for _, value in parts) == whole
        assert len(parts) > 1


def test_the_command_answers_and_says_what_there_is(history: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in history.environment().items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(app, ["metrics", "query", "aum", "--by", "star_tier", "--json"])
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)["rows"]
    assert sum(Decimal(row[1]) for row in rows) == Decimal(str(metrics.query_metrics(history, ["aum"]).rows[0][0]))
    listed = json.loads(CliRunner().invoke(app, ["metrics", "list", "--json"]).stdout)
    assert {metric["name"] for metric in listed["metrics"]} == EXPECTED.keys()
    for arguments, said in ((["nothing"], "there is no metric nothing"), (["aum", "--by", "mood"], "star_tier")):
        refused = CliRunner().invoke(app, ["metrics", "query", *arguments])
        assert refused.exit_code == 1
        assert said in refused.output


def test_a_definition_changed_in_one_place_changes_all_that_show_it(
    history: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from demo import summary

    text = dbt.semantic_manifest(history, {})
    assert "case when has_account then 1 else 0 end" in text
    count = int(figure(history, "customers"))
    assert f"{count:,} with an account" in summary.customers_line(history)
    doubled = text.replace("case when has_account then 1 else 0 end", "case when has_account then 2 else 0 end")
    monkeypatch.setattr(dbt, "semantic_manifest", lambda *_: doubled)
    assert figure(history, "customers") == 2 * count
    assert f"{2 * count:,} with an account" in summary.customers_line(history)


QUESTIONS = (  # of an analyst that are no metric: docs/ANALYST.md; each has an answer without a join
    "select branch_code, mean_amount from scores.forecast_balances where series_level = 'branch' and horizon_weeks=13",
    "select rm_id, action_en from actions.worklist where rm_id is not null",
    "select campaign_id, answer_rate, effect_rate from marts.campaigns",
    "select feed, days_since_delivery from ops.freshness",
    "select task, feature, value from ops.model_monitoring where measure = 'stability_index'",
    "select churn_rate, usual_churn_rate from marts.change_kind_quality where change_kind = 'first_complaint'",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_that_is_no_metric_has_a_table(day_by_day: Undisturbed, question: str) -> None:
    assert warehouse.query_serving(day_by_day.settings, question).num_rows > 0
