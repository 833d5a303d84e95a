"""An analyst's questions whose answers rest on a model, against SQL of their own over the files as they landed.

What is data comes from the files: amounts, who is asked about, branch, manager, before and after. What a model says is
read from its file in the lake: who is one customer, a probability, a mean ahead, the bins of the rows that it learned.
Where a chain of payments breaks is a model's answer, too. Questions without a model are in ``tests/golden``.
"""

import json
from collections.abc import Iterator
from datetime import timedelta

import duckdb
import pytest

from c360.metrics import query_metrics
from lakehouse import lake as lake_files
from lakehouse import warehouse
from lakehouse.settings import PROJECT, Settings
from ml_jobs.learning.drift import SCORE
from tests.conftest import SECRET
from tests.golden import landed
from tests.pipeline.conftest import D3, Undisturbed

FEEDS = ("customers", "registrations", "social_leads", "rm_assignments", "accounts", "products", "transactions")
FEEDS += ("balances", "holdings", "cards", "loans", "loan_repayments", "complaints")
EXPECTED = PROJECT / "tests" / "golden" / "expected"

# What is there of each account, loan and customer today; each table is made of the files and the seeds alone.
TODAY = {
    "postings": """
        from transactions qualify row_number() over (partition by txn_id order by known_date, delivery, row) = 1
    """,
    "families": "select product_code, product_family from products",
    "accounts_today": """
        select *, 'cif:' || customer_no as party_key from accounts left join families using (product_code)
        qualify row_number() over (
            partition by account_no order by business_date desc, known_date desc, delivery desc, row desc
        ) = 1
    """,
    "deposits": """
        select customer_key, coalesce(stated, posted, 0) as amount
        from accounts_today
        join links using (party_key)
        left join (
            select account_no, arg_max(balance, row(business_date, known_date, delivery, row)) as stated
            from balances group by all
        ) using (account_no)
        left join (
            select account_no, sum(if(direction = 'C', amount, -amount)) as posted from postings group by all
        ) using (account_no)
        where coalesce(product_family, '') not in ('loan', 'card')
    """,
    "investments": """
        select customer_key, value as amount
        from (
            select
                'cif:' || arg_max(customer_no, row(business_date, known_date, delivery, row)) as party_key,
                arg_max(market_value, row(business_date, known_date, delivery, row)) as value
            from holdings group by holding_id
        ) join links using (party_key)
    """,
    "assets": """
        select customer_key, sum(amount) as amount, sum(amount) filter (where kind = 'deposit') as deposit_amount
        from (select *, 'deposit' as kind from deposits union all select *, 'investment' from investments) group by all
    """,
    "standing": """
        select customer_key, home_branch_code, rm_id
        from dim_customer
        left join (
            select customer_key, min(rm_id) as rm_id
            from rm_assignments join links on party_key = 'cif:' || customer_no
            where valid_from <= getvariable('business_date')
                and coalesce(valid_to >= getvariable('business_date'), true)
                and customer_key not in (
                    select customer_key from readers.marts.customer_360 where life_cycle_stage = 'lost'
                )
            group by all
        ) using (customer_key)
        where is_current
    """,
    "debts": """
        select loan_no, status, instalment, links.customer_key, other.customer_key as guarantor_key
        from (
            from loans qualify row_number() over (
                partition by loan_no order by business_date desc, known_date desc, delivery desc, row desc
            ) = 1
        )
        join links on links.party_key = 'cif:' || customer_no
        left join links as other on other.party_key = 'cif:' || guarantor_customer_no
        where status in ('running', 'in_arrears')
    """,
    "instalments": """
        from loan_repayments join (select loan_no, customer_key from debts) using (loan_no)
        qualify row_number() over (
            partition by repayment_id order by business_date desc, known_date desc, delivery desc, row desc
        ) = 1
    """,
}
WATCHED = """
    with borrowers as (
        select customer_key, sum(instalment) as instalment_amount from debts group by all
        having count(*) filter (where status = 'running') > 0
    ),
    limits as (select map_from_entries(list((threshold, threshold_value))) as at_least from credit_thresholds),
    unpaid as (
        select customer_key, getvariable('business_date') - min(due_date) as days from instalments
        where paid_amount < due_amount and due_date <= getvariable('business_date') group by all
    ),
    due as (
        select customer_key, cast(max(due_date) + interval 1 month as date) as next_due from instalments group by all
    ),
    incomes as (
        select customer_key, max(postings.business_date) as last_date,
            count(distinct date_trunc('month', postings.business_date)) as months
        from postings join accounts_today using (account_no) join links using (party_key)
        where txn_type in ('salary', 'pension') and direction = 'C'
            and postings.business_date > getvariable('business_date') - 180
        group by all
    ),
    drawn as (
        select
            cards_today.customer_key,
            sum(credit_limit) as limit_amount,
            sum(greatest(-owed(account_no, getvariable('business_date')), 0)) as drawn_amount,
            sum(greatest(-owed(account_no, cast(getvariable('business_date') - to_days(cast(
                (select at_least['utilisation_days'] from limits) as integer
            )) as date)), 0)) as before_amount
        from (
            select customer_key, account_no, sum(credit_limit) as credit_limit
            from (
                from cards where card_type = 'credit' qualify row_number() over (
                    partition by card_id order by business_date desc, known_date desc, delivery desc, row desc
                ) = 1
            ) join links on party_key = 'cif:' || customer_no where status = 'active' group by all
        ) as cards_today group by all
    ),
    chains as (from readers.marts.fund_chain_runway),
    distressed as (
        select customer_key, 'overdue' as detail from unpaid, limits where days >= at_least['overdue_days']
        union all select customer_key, 'inflow_broken' from chains where chain_state = 'inflow broken'
        union all select distinct lost_key, 'left' from readers.marts.fund_chain_losses where lost_role = 'payer'
    ),
    found as (
        select customer_key, if(days >= at_least['overdue_days'], 'instalment_overdue', 'instalment_missed') as kind,
            '' as detail
        from unpaid, limits where days >= at_least['missed_days']
        union all
        select customer_key, 'instalment_short', ''
        from borrowers join due using (customer_key) join assets using (customer_key), limits
        where coalesce(deposit_amount, 0) < instalment_amount
            and next_due - getvariable('business_date') between 1 and at_least['short_days']
        union all
        select customer_key, 'utilisation_jump', '' from drawn, limits
        where limit_amount > 0 and drawn_amount >= at_least['utilisation_rate'] * limit_amount
            and drawn_amount - before_amount >= at_least['utilisation_rise'] * limit_amount
        union all
        select customer_key, 'salary_stopped', '' from incomes, limits
        where months >= at_least['salary_months']
            and getvariable('business_date') - last_date >= at_least['salary_stop_days']
        union all
        select customer_key, detail, '' from distressed where detail = 'inflow_broken'
        union all
        select debts.customer_key, 'guarantor_in_trouble', detail
        from debts join distressed on guarantor_key = distressed.customer_key
        where status = 'running' and guarantor_key <> debts.customer_key
        union all
        select chains.customer_key, 'main_payer_in_trouble', detail
        from chains join distressed on main_payer_key = distressed.customer_key, limits
        where main_payer_share >= at_least['main_payer_share']
    ),
    bands as (
        select customer_key, band from found join credit_trigger_phrases as phrases
            on kind = credit_trigger and detail like trigger_detail
        union all
        select customer_key, case when probability >= at_least['red_probability'] then 'red' else 'amber' end
        from credit_scores, limits where probability >= at_least['amber_probability']
    )
    select customer_key,
        case when bool_or(band = 'red') then 'red' when count(band) > 0 then 'amber' else 'green' end as band
    from borrowers left join bands using (customer_key) group by all
"""
COMPLAINED = """
    with told as (
        select customer_key, complaint_id, business_date as day
        from complaints join links on party_key = 'cif:' || customer_no
        qualify row_number() over (partition by complaint_id order by known_date, delivery, row) = 1
    ),
    firsts as (
        select distinct customer_key, last_day(day) as month_end
        from (select *, lag(day) over (partition by customer_key order by day, complaint_id) as before from told)
        where (before is null or day - before > 365) and day > getvariable('business_date') - 280
    ),
    held as (
        select customer_key, account_no, product_family, end_date,
            arg_max(status, row(day, known_date, delivery, row)) as status
        from (
            select account_no, product_code, status, customer_no, business_date as day, known_date, delivery, row
            from accounts
        )
        join links on party_key = 'cif:' || customer_no
        left join families using (product_code)
        cross join (
            select distinct unnest([month_end, month_end + 90]) as end_date
            from (
                select cast(last_day(unnest(generate_series(
                    getvariable('business_date') - 310, getvariable('business_date'), interval 1 month
                ))) as date) as month_end
            ) where month_end > getvariable('business_date') - 280
        )
        where day <= end_date and known_date <= end_date and end_date <= getvariable('business_date')
        group by all
    ),
    outcomes as (
        select before.customer_key, before.end_date as month_end, after.customer_key is null as has_left
        from (
            select distinct customer_key, end_date from held
            where status <> 'closed' and coalesce(product_family, '') not in ('loan', 'card')
                and end_date = last_day(end_date)
        ) as before
        left join (select distinct customer_key, end_date from held where status <> 'closed') as after
            on after.customer_key = before.customer_key and after.end_date = before.end_date + 90
        where before.end_date + 90 <= getvariable('business_date')
    ),
    months as (select *, avg(cast(has_left as integer)) over (partition by month_end) as usual_rate from outcomes)
    select count(*), avg(cast(has_left as integer)), avg(usual_rate)
    from firsts join months using (customer_key, month_end)
"""
SUNDAY = """
    with firsts as (
        select account_no, coalesce(branch_code, 'none') as branch_code, product_family
        from accounts left join families using (product_code)
        qualify row_number() over (
            partition by account_no order by business_date, known_date desc, delivery desc, row desc
        ) = 1
    ),
    told as (
        select account_no, arg_max(balance, row(business_date, known_date, delivery, row)) as stated
        from balances where business_date <= getvariable('last_sunday') group by all
    ),
    sums as (
        select account_no, sum(if(direction = 'C', amount, -amount)) as posted
        from postings where business_date <= getvariable('last_sunday') group by all
    )
    select branch_code, cast(sum(coalesce(stated, posted, 0)) as decimal(38, 2)) as amount
    from firsts left join told using (account_no) left join sums using (account_no)
    where coalesce(product_family, '') not in ('loan', 'card') group by all having amount <> 0
"""
SERIES = """
    select branch_code, cast(sum(amount) as decimal(38, 2)) as amount from readers.marts.balance_series_weekly
    where measure = 'deposit' and week_end_date = getvariable('last_sunday') group by all having amount <> 0
"""
STABILITY = """
    with valued as (select cast(cast(value as float) as double) as value from ({values})),
    binned as (
        select if(value is null, {bins}, len(list_filter(cast($edges as double[]), lambda edge: edge < value))) as bin
        from valued
    ),
    places as (
        select unnest(cast($shares as double[])) as share, unnest(range(len(cast($shares as double[])))) as place
    ),
    shares as (
        select greatest(share, 1e-4) as before,
            greatest((select count(*) from binned where bin = place) / (select count(*) from binned), 1e-4) as now
        from places
    )
    select sum((now - before) * ln(now / before)) from shares
"""
FROM_FILES = {  # features whose values need nothing but the files
    "deposit_amount": "coalesce(deposit_amount, 0)",
    "aum_amount": "coalesce(amount, 0)",
    "complaint_count_180d": """(
        select count(distinct complaint_id) from complaints join links on party_key = 'cif:' || customer_no
        where links.customer_key = scored.customer_key and business_date > getvariable('business_date') - 180
    )""",
    "loan_count": "(select count(*) from debts where debts.customer_key = scored.customer_key)",
}


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed) -> Iterator[duckdb.DuckDBPyConnection]:
    """The landed files, what the models said in the lake, and what readers see (`readers`)."""
    lake = day_by_day.settings.lake
    with landed.read(day_by_day.settings.landing, D3, SECRET, FEEDS) as con:
        con.execute(f"attach '{day_by_day.settings.warehouse}' as readers (read_only)")
        con.execute(f"""
            create table links as
            select party_key, coalesce(customer_key, party_key) as customer_key, first_known_date
            from ({landed.PARTIES}) left join (
                from read_parquet('{lake}/identity/{D3}-*.parquet') where coalesce(valid_to > date '{D3}', true)
            ) using (party_key)
        """)
        for task, name in (("churn", "scored"), ("credit_warning", "credit_scores")):
            path = f"{lake}/scores/{task}/as_of_date={D3}/*.parquet"
            con.execute(f"""
                create table {name} as
                select links.customer_key, max(probability) as probability
                from read_parquet('{path}') as scores join links on party_key = scores.customer_key group by all
            """)
        con.execute(f"create table dim_customer as {(EXPECTED / 'dim_customer.sql').read_text()}")
        for name, query in TODAY.items():
            con.execute(f"create table {name} as {query}")
        con.execute("""
            create macro owed(of_account, up_to) as (
                select coalesce(sum(if(direction = 'C', amount, -amount)), 0) from postings
                where account_no = of_account and business_date <= up_to
            )
        """)
        yield con


def answered(settings: Settings, metric: str, by: str) -> dict[str | None, float]:
    return {key: float(value) for key, value in query_metrics(settings, [metric], [by]).rows if value}


@pytest.mark.parametrize("by", ["home_branch_code", "rm_id"])
def test_money_at_risk_is_landed_money_times_the_scores_in_the_lake(
    day_by_day: Undisturbed, bank: duckdb.DuckDBPyConnection, by: str
) -> None:
    expected = bank.execute(f"""
        select {by}, cast(sum(amount * probability) as double)
        from scored join assets using (customer_key) join standing using (customer_key) group by all
    """).fetchall()
    assert len(expected) > 5
    assert answered(day_by_day.settings, "money_at_risk", by) == pytest.approx(dict(expected), rel=1e-9)


def test_the_watch_list_is_of_landed_loans_instalments_cards_and_pay(
    day_by_day: Undisturbed, bank: duckdb.DuckDBPyConnection
) -> None:
    bank.execute(f"create temp table watched as {WATCHED}")
    told = bank.execute("select customer_key, band from readers.marts.credit_watch order by all").fetchall()
    assert told == bank.execute("select customer_key, band from watched order by all").fetchall()
    assert {band for _, band in told} == {"green", "amber", "red"}
    expected = bank.execute("""
        select home_branch_code, count(*) from watched join standing using (customer_key)
        where band <> 'green' group by all
    """).fetchall()
    assert answered(day_by_day.settings, "watch_list", "home_branch_code") == dict(expected)


def test_deposits_next_quarter_by_branch_add_up_and_go_on_from_landed_balances(
    day_by_day: Undisturbed, bank: duckdb.DuckDBPyConnection
) -> None:
    lake = day_by_day.settings.lake
    (known,) = (lake / lake_files.FORECASTS / "known").glob(f"{D3}-*.json")
    folder = lake / lake_files.FORECASTS / json.loads(known.read_text())["forecast"]
    last = D3 - timedelta(days=D3.isoweekday() % 7)
    bank.execute(f"create temp view ahead as from '{folder}/balances.parquet' where measure = 'deposit'")
    shown = bank.execute("""
        select branch_code, mean_amount, as_of_date, week_end_date from readers.scores.forecast_balances
        where series_level = 'branch' and measure = 'deposit' and horizon_weeks = 13
    """).fetchall()
    sums = bank.execute("""
        select branch_code, sum(mean_amount) from ahead
        where level = 'branch_family' and horizon_weeks = 13 group by all
    """).fetchall()
    assert {branch: float(amount) for branch, amount, *_ in shown} == pytest.approx(dict(sums), abs=0.01)
    assert {row[2:] for row in shown} == {(last, last + timedelta(91))}
    whole = bank.execute("select mean_amount from ahead where level = 'bank' and horizon_weeks = 13").fetchone()[0]
    assert sum(float(amount) for _, amount, *_ in shown) == pytest.approx(whole, abs=0.01 * len(shown))

    bank.execute(f"set variable last_sunday = date '{last}'")
    assert not bank.execute(f"({SUNDAY}) except ({SERIES}) union all (({SERIES}) except ({SUNDAY}))").fetchall()
    assert len(bank.execute(SERIES).fetchall()) > 5


def test_drift_is_measured_on_the_rows_of_today(day_by_day: Undisturbed, bank: duckdb.DuckDBPyConnection) -> None:
    settings = day_by_day.settings
    told = {
        (row["feature"], row["model_version"]): (row["value"], row["is_alert"])
        for row in warehouse.query_serving(
            settings,
            "select feature, model_version, value, is_alert from ops.model_monitoring "
            f"where task = 'churn' and measure = 'stability_index' and as_of_date = date '{D3}'",
        ).to_pylist()
    }
    ((version,),) = [{version for _, version in told}]
    card = json.loads((settings.lake / "models" / "churn" / version / "card.json").read_text())
    assert {feature for feature, _ in told} == card["reference"].keys() and card[
        "reference"
    ].keys() >= FROM_FILES.keys()
    bank.execute(f"""
        create temp table features as
        from readers.features.customer_features anti join (
            from readers.features.refused_purposes where purpose = 'profiling'
        ) using (customer_key, as_of_date)
        where as_of_date = date '{D3}'
    """)
    for (feature, _), (value, is_alert) in told.items():
        if feature == SCORE:
            continue  # of the model's margin, which is nowhere else
        values = f"select {feature} as value from features"
        if feature in FROM_FILES:
            values = f"select {FROM_FILES[feature]} as value from scored left join assets using (customer_key)"
        reference = card["reference"][feature]
        (expected,) = bank.execute(
            STABILITY.format(values=values, bins=len(reference["edges"]) + 1), reference
        ).fetchone()
        assert value == pytest.approx(expected, abs=1e-9), feature
        assert is_alert == (expected > 0.25), feature


def test_the_effect_of_a_complaint_is_that_of_landed_complaints_and_closed_accounts(
    bank: duckdb.DuckDBPyConnection,
) -> None:
    told = bank.execute("""
        select churn_followed_count, churn_rate, usual_churn_rate
        from readers.marts.change_kind_quality where change_kind = 'first_complaint'
    """).fetchone()
    assert told == pytest.approx(bank.execute(COMPLAINED).fetchone())
    assert told[0] > 20
