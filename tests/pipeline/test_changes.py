"""What is said about changes, read as a banker reads it: numbers and dates of each sentence against the rows."""

import re
from datetime import date, timedelta
from typing import Any

import pytest

from lakehouse import warehouse
from lakehouse.settings import Settings
from ml_jobs.quality import changes, reasons
from tests.pipeline.conftest import Undisturbed

YEAR = timedelta(days=365)

# Each gives, of one kind of change, the sentences beside what the rows say. `said` has the customer, the sentence, the
# first amount and the first date in it.
SAID = """
    with links as (select party_key, customer_key from marts.dim_party),
    said as (
        select
            customer_key, change_kind, change_detail, change_date, sentence_en,
            cast(replace(nullif(regexp_extract(sentence_en, 'CNY (-?[0-9,]+)', 1), ''), ',', '') as bigint) as amount,
            cast(nullif(regexp_extract(sentence_en, '[0-9]{4}-[0-9]{2}-[0-9]{2}'), '') as date) as day
        from marts.customer_changes
    ),
    moves as (
        select accounts.customer_key, rows.business_date, rows.counterparty_class || ':' || rows.direction as kind,
            rows.amount
        from marts.fct_transactions as rows
        inner join marts.dim_account as accounts on rows.account_no_token = accounts.account_no_token
    ),
    assets as (
        select
            accounts.customer_key, balances.account_no_token as asset, balances.business_date, accounts.maturity_date,
            balances.balance_amount as amount
        from marts.fct_balances_daily as balances
        inner join marts.dim_account as accounts on balances.account_no_token = accounts.account_no_token
        union all
        select links.customer_key, holdings.holding_id, holdings.business_date, holdings.maturity_date,
            holdings.market_value_amount
        from marts.fct_holdings_daily as holdings
        inner join links on holdings.party_key = links.party_key
    )
"""
UNTRUE = {
    "a first payment has none of its kind in the year before, and its amount is the day's": """
        select said.sentence_en from said
        left join moves on said.customer_key = moves.customer_key and said.change_detail = moves.kind
        where said.change_kind = 'new_counterparty_type'
        group by said.customer_key, said.change_detail, said.sentence_en, said.amount, said.day
        having sum(case when moves.business_date = said.day then moves.amount else 0 end) is null
            or abs(sum(case when moves.business_date = said.day then moves.amount else 0 end) - said.amount) > 0.5
            or count(case when moves.business_date < said.day and moves.business_date >= said.day - 365 then 1 end) > 0
            or said.sentence_en not like 'First in a year: %'
    """,
    "an income that stopped came last on that day, and its customer is still with us": """
        select said.sentence_en from said
        left join moves on said.customer_key = moves.customer_key and said.change_detail || ':C' = moves.kind
        left join marts.customer_360 as customers on said.customer_key = customers.customer_key
        where said.change_kind = 'income_stopped'
        group by said.customer_key, said.change_detail, said.change_date, said.sentence_en, said.amount, said.day,
            customers.life_cycle_stage
        having abs(sum(case when moves.business_date = said.day then moves.amount else 0 end) - said.amount) > 0.5
            or count(
                case when moves.business_date > said.day and moves.business_date <= said.change_date then 1 end
            ) > 0
            or coalesce(customers.life_cycle_stage, 'lost') = 'lost'
    """,
    "assets are those of the day": """
        select said.sentence_en from said
        left join (
            select said.customer_key, said.change_kind, said.day, assets.amount,
                row_number() over (
                    partition by said.customer_key, said.change_kind, said.day, assets.asset
                    order by assets.business_date desc
                ) as recency
            from said
            inner join assets on said.customer_key = assets.customer_key and assets.business_date <= said.day
            where said.change_kind in ('assets_fell', 'assets_rose')
        ) as held on said.customer_key = held.customer_key and said.change_kind = held.change_kind
            and said.day = held.day and held.recency = 1
        where said.change_kind in ('assets_fell', 'assets_rose')
        group by said.customer_key, said.change_kind, said.sentence_en, said.amount
        having abs(coalesce(sum(held.amount), 0) - said.amount) > 0.5
            or (said.change_kind = 'assets_fell') <> (said.amount < cast(replace(
                regexp_extract(said.sentence_en, 'from CNY (-?[0-9,]+)', 1), ',', '') as bigint))
    """,
    "what matures is what was held a week before": """
        select said.sentence_en from said
        left join (
            select said.customer_key, said.day, assets.amount,
                row_number() over (
                    partition by said.customer_key, said.day, assets.asset order by assets.business_date desc
                ) as recency
            from said
            inner join assets on said.customer_key = assets.customer_key and assets.business_date <= said.change_date
                and assets.maturity_date = said.day
            where said.change_kind = 'maturity_near'
        ) as held on said.customer_key = held.customer_key and said.day = held.day and held.recency = 1
        where said.change_kind = 'maturity_near'
        group by said.customer_key, said.day, said.sentence_en, said.amount
        having abs(coalesce(sum(held.amount), 0) - said.amount) > 0.5
    """,
    "a first complaint has none in the year before": """
        select said.sentence_en from said
        left join (
            select links.customer_key, contacts.business_date
            from marts.fct_contacts as contacts
            inner join links on contacts.party_key = links.party_key
            where contacts.contact_kind = 'complaint'
        ) as complaints on said.customer_key = complaints.customer_key
        where said.change_kind = 'first_complaint'
        group by said.customer_key, said.sentence_en, said.day
        having count(case when complaints.business_date = said.day then 1 end) = 0
            or count(
                case when complaints.business_date < said.day and complaints.business_date >= said.day - 365 then 1 end
            ) > 0
    """,
}


def published(settings: Settings, sql: str) -> list[dict[str, Any]]:
    return warehouse.query_serving(settings, sql).to_pylist()


@pytest.mark.parametrize("claim", UNTRUE)
def test_every_sentence_is_what_the_rows_say(day_by_day: Undisturbed, claim: str) -> None:
    assert published(day_by_day.settings, SAID + UNTRUE[claim]) == []


def test_the_quality_of_every_kind_is_published(day_by_day: Undisturbed) -> None:
    quality = changes.change_quality(day_by_day.settings)
    shown = {
        row["change_kind"] for row in published(day_by_day.settings, "select change_kind from marts.customer_changes")
    }
    assert shown <= {kind for kind, row in quality.items() if row["is_shown"]}
    assert not quality["logins_fell"]["is_shown"] and quality["logins_fell"]["change_count"] > 0
    assert all(row["true_count"] == row["change_count"] for row in quality.values())
    followed = [row for row in quality.values() if row["churn_followed_count"]]
    assert len(followed) > 3
    for row in followed:
        assert row["usual_churn_rate"] > 0
        assert row["churn_lift"] == pytest.approx(row["churn_rate"] / row["usual_churn_rate"])
    assert quality["assets_fell"]["churn_lift"] > 1


def test_every_sentence_has_a_date(day_by_day: Undisturbed) -> None:
    rows = published(day_by_day.settings, "select * from marts.customer_changes")
    for row in rows:
        for language in ("en", "zh"):
            (day,) = re.findall(r"\d{4}-\d{2}-\d{2}", row[f"sentence_{language}"])
            assert abs(date.fromisoformat(day) - row["change_date"]) <= YEAR


def test_every_reason_holds(day_by_day: Undisturbed) -> None:
    """Value, direction, contribution and comparison of every reason that readers see."""
    quality = reasons.reason_quality(day_by_day.settings)
    assert sum(figures["reasons"] for figures in quality.values()) > 1_000
    for figures in quality.values():
        assert set(figures["holds"].values()) == {figures["reasons"]}


def test_every_customer_s_scores_show(day_by_day: Undisturbed) -> None:
    """Whatever the lake has scored is in customer_scores, and each score of customer_360 is one of them."""
    scored = warehouse.query(day_by_day.settings, "select distinct task from raw.scores").column(0).to_pylist()
    shown = published(day_by_day.settings, "select distinct task, measure from scores.customer_scores")
    assert {row["task"] for row in shown} == set(scored) and len(scored) > 4
    for row in shown:
        column = f"{row['task']}_{row['measure']}"
        (differing,) = published(
            day_by_day.settings,
            f"select count(*) as n from marts.customer_360 as customers left join scores.customer_scores as scores "
            f"on customers.customer_key = scores.customer_key and scores.task = '{row['task']}' "
            f"where customers.{column} is distinct from scores.score",
        )
        assert differing["n"] == 0
