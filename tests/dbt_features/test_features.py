"""What was known on a day decides the features of that day, and nothing else does."""

import shutil
from pathlib import Path

import psycopg
import pytest

from lakehouse.contracts import load_feeds
from lakehouse.warehouse import run_dbt
from tests.conftest import temporary_settings
from tests.dbt.bank import Bank
from tests.dbt.test_engines import copy_raw
from tests.dbt_features import year
from tests.dbt_features.conftest import MODELS, build

FEATURES = "build_features.customer_features"
PURCHASES = "build_features.purchase_features"
TASKS = (
    *("churn", "deposit_churn", "wealth_churn", "tier_upgrade", "tier_downgrade", "credit_warning"),
    "product_purchase",
)
LABELS = [f"build_features.label_{task}" for task in TASKS]


def features(bank: Bank, as_of: str, table: str = FEATURES) -> dict[str, dict[str, float | None]]:
    """Customer -> feature -> value."""
    with bank.connect() as connection:
        result = connection.execute(f"select * from {table} where as_of_date = cast($1 as date)", [as_of])
        names = [column[0] for column in result.description]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {row.pop("customer_key"): {k: v for k, v in row.items() if k != "as_of_date"} for row in rows}


def test_figures_worked_out_by_hand(initial_bank: Bank) -> None:
    wang = features(initial_bank, "2024-08-31")["cif:1"]
    expected = {
        "deposit_amount": 40000,
        "aum_amount": 49000,
        "investment_rate": 9 / 49,
        "average_aum_amount_90d": 33000,  # 30 days of 10,000, 60 of 40,000, and 9,000 on the last 30
        "star_tier": 2,
        "next_tier_gap_rate": 17 / 50,
        "lower_tier_margin_rate": 23 / 33,
        "aum_rate_90d": 4.9,
        "average_aum_change_rate_90d": 3.3,
        "deposit_volatility_rate_90d": 3 * 12**0.5 / 19,  # 40,000 on four of the seven days, 10,000 on three
        "deposit_account_count": 2,
        "maturing_rate_30d": 0,
        "maturing_rate_90d": 9 / 49,
        "inflow_amount_90d": 6000,
        "outflow_amount_90d": 1000,
        "outflow_pace_rate": 2.4,
        "inflow_change_rate_90d": 2,
        "largest_outflow_rate_90d": 500 / 33000,
        "wallet_outflow_rate_90d": 0.3,
        "other_bank_outflow_rate_90d": 0.5,
        "cash_outflow_rate_90d": 0.2,
        "other_bank_outflow_rate_30d": 5 / 8,
        "bound_wallet_count": 1,
        "salary_change_rate_90d": 2,
        "days_since_salary": 21,
        "txn_count_30d": 3,
        "txn_count_90d": 4,
        "days_since_txn": 9,
        "app_login_count_30d": 1,
        "app_login_count_90d": 2,
        "login_change_rate_90d": 2,
        "days_since_online_login": 1,
        "close_account_view_count_30d": 1,
        "transfer_page_share_180d": 1 / 4,
        "balance_page_share_180d": 2 / 4,
        "wealth_visit_count_90d": 1,
        "days_since_visit": 6,
        "contact_count_90d": 2,
        "retention_contact_count_90d": 1,
        "days_since_contact": 36,
        "complaint_count_180d": 1,
        "touch_count_90d": 1,
        "response_count_90d": 1,
        "mall_order_count_90d": 1,
        "credit_card_count": 1,
        "instalment_burden_rate": 0.25,
        "days_past_due": 42,  # reported at 15, and unpaid since
        "worst_days_past_due": 42,
        "worst_days_past_due_90d": 42,
        "days_since_arrears": 0,
        "performing_loan_count": 0,
        "unpaid_instalment_count": 1,
        "late_instalment_count": 1,
        "late_instalment_rate": 1,
        "remaining_term_months": 17,
        "instalment_to_inflow_rate_90d": 1,
        "deposit_to_instalment_rate": 20,
        "lowest_deposit_to_instalment_rate_90d": 5,
        "guarantor_days_past_due": 0,
        "inflow_cover_rate_90d": 3,  # 1,000 went to another customer, too
        "reserve_days": 1800,
        "mean_inflow_to_income_rate_180d": 4500 / 8000,
        "fee_count_180d": 0,
        "tenure_days": 243,
        "age_years": 14610 / 365.25,
        "risk_rating_level": 3,
        "has_rm": 1,
    }
    assert {name: wang[name] for name in expected} == pytest.approx(expected)
    month_before, month_after = (features(initial_bank, day)["cif:1"] for day in ("2024-07-31", "2024-09-30"))
    assert month_before["has_rm"] == 0
    assert (month_before["days_past_due"], month_before["performing_loan_count"]) == (11, 1)
    assert (month_after["days_past_due"], month_after["worst_days_past_due"]) == (0, 43)  # paid on 1 September
    assert (month_after["days_since_arrears"], month_after["performing_loan_count"]) == (29, 1)


def test_utilities_are_a_share_of_all_payments(initial_bank: Bank) -> None:
    """They stay among what goes to merchants, in amounts and in counts."""
    wu = features(initial_bank, "2024-08-31")["cif:8"]
    assert wu["utility_outflow_share_180d"] == pytest.approx(2 / 3)
    assert (wu["merchant_outflow_share_180d"], wu["merchant_outflow_rate_90d"]) == (1, 1)


def test_interest_is_no_pace_of_money_in(initial_bank: Bank) -> None:
    """Nobody has paid this customer for 30 days, although the bank has."""
    assert features(initial_bank, "2024-08-31")["cif:8"]["inflow_pace_rate"] == 0


def test_whoever_was_no_customer_had_no_tier(initial_bank: Bank) -> None:
    new, old = (features(initial_bank, "2024-08-31")[f"cif:{number}"] for number in ("8", "1"))
    assert (new["star_tier"], new["previous_star_tier"]) == (1, None)
    assert old["previous_star_tier"] == 2


def test_a_share_of_payments_is_measured_against_the_usual_of_persons_or_enterprises(initial_bank: Bank) -> None:
    """So what moves for everybody, such as the yields of outside funds, moves no score."""
    customers = list(features(initial_bank, "2024-08-31").values())
    for name, relative in (
        ("wallet_outflow_rate_90d", "wallet_outflow_rate_to_usual_90d"),
        ("cash_outflow_share_180d", "cash_outflow_share_to_usual_180d"),
        ("utility_outflow_share_180d", "utility_outflow_share_to_usual_180d"),
        ("mobile_txn_share_180d", "mobile_txn_share_to_usual_180d"),
    ):
        for kind in (0, 1):
            alike = [row for row in customers if row["is_enterprise"] == kind and row[name] is not None]
            usual = sum(row[name] for row in alike) / max(1, len(alike))
            assert [row[relative] for row in alike if usual] == pytest.approx(
                [row[name] / usual for row in alike if usual]
            )
        assert all((row[name] is None) <= (row[relative] is None) for row in customers)
        assert any(row[relative] for row in customers)


def test_purchases_worked_out_by_hand(initial_bank: Bank) -> None:
    bought = features(initial_bank, "2024-08-31", PURCHASES)
    assert "cif:9" not in bought  # enterprises buy nothing here
    expected = {
        "demand_deposit_amount": 40000,
        "demand_deposit_to_income_rate": 5,
        "demand_deposit_to_outflow_rate": 120,
        "term_deposit_amount": 0,
        "fund_amount": 9000,
        "purchase_count_180d": 2,
        "days_since_purchase": 29,
        "term_deposit_purchase_count_360d": 1,
        "fund_purchase_count_360d": 1,
        "wealth_purchase_count_360d": 0,
        "suitability_level": 3,
        "aum_amount": 49000,
    }
    assert {name: bought["cif:1"][name] for name in expected} == pytest.approx(expected)
    products = "build_intermediate.int_customer__products_known_on_as_of_dates"
    held = f"select is_held from {products} where product_code = 'FND'"
    assert initial_bank.rows(f"{held} and as_of_date = date '2024-08-31'") == [(1,)]
    assert initial_bank.rows(f"{held} and as_of_date = date '2024-11-30'") == [(0,)]


def test_only_customers_with_an_open_deposit_account(initial_bank: Bank) -> None:
    assert {"cif:3", "cif:7"} <= features(initial_bank, "2024-09-30").keys()
    assert not {"cif:3", "cif:7"} & features(initial_bank, "2024-10-31").keys()
    assert features(initial_bank, "2024-11-30")["cif:7"]["closed_account_count_180d"] == 1  # in October, not in January
    assert features(initial_bank, "2024-09-30")["cif:7"]["closed_account_count_180d"] == 0
    assert features(initial_bank, "2024-11-30")["cif:9"]["is_enterprise"] == 1


def test_a_version_counts_until_it_is_replaced(full_bank: Bank) -> None:
    lis = [features(full_bank, day)["cif:2"] for day, _ in year.DAYS]
    assert [li["outflow_amount_90d"] for li in lis] == [100, 150, 120]
    other = 40  # the balance of her second record, hers from the second day on
    assert [li["deposit_amount"] for li in lis] == [900, 900 + other, 930 + other]
    assert [li["average_aum_amount_90d"] for li in lis] == pytest.approx(
        [
            (89 * 5000 + 900) / 90,
            (77 * 5000 + 11 * 800 + 2 * 900) / 90 + other,
            (76 * 5000 + 11 * 800 + 3 * 930) / 90 + other,
        ]
    )


def test_an_event_told_twice_counts_once(full_bank: Bank) -> None:
    for day, _ in year.DAYS:
        assert features(full_bank, day)["cif:1"]["counter_txn_count_90d"] == 1


def test_identity_is_the_one_known_then(full_bank: Bank) -> None:
    assert {"cif:2", "cif:2b"} <= features(full_bank, "2024-12-01").keys()
    later = features(full_bank, "2024-12-02")
    assert "cif:2b" not in later
    assert later["cif:2"]["deposit_account_count"] == 2


def test_days_on_top_equal_one_build(daily_bank: Bank, full_bank: Bank) -> None:
    for table in (FEATURES, PURCHASES, *LABELS):
        query = f"select * from {table} order by customer_key, as_of_date"
        assert daily_bank.rows(query) == full_bank.rows(query)
        assert full_bank.rows(f"select count(*) from {table}")[0][0] > 0


def test_nothing_that_is_learnt_later_moves_a_feature(initial_bank: Bank, tmp_path: Path) -> None:
    as_of, next_day, later = "2024-08-31", "2024-09-01", "2024-09-30"
    planted = Bank(tmp_path)
    shutil.copy(initial_bank.path, planted.path)
    tell_again(planted, as_of, next_day)
    build(planted, year.INITIAL_DATE, year.FIRST_DATE, [as_of, later])

    for table in (FEATURES, PURCHASES):
        assert features(planted, as_of, table) == features(initial_bank, as_of, table)
    before, after = (features(bank, later)["cif:1"] for bank in (initial_bank, planted))
    assert len({name for name in before if before[name] != after[name]}) > 40  # what was planted does count later


def tell_again(bank: Bank, as_of: str, next_day: str) -> None:
    """Deliver every row that was known on a day once more on the next: as it was dated, and as of the next day.

    Amounts are changed, and events come under new numbers.
    """
    with bank.connect() as connection:
        for feed in load_feeds().values():
            types = dict(feed.lake_columns)
            amounts = [name for name, type_ in types.items() if type_.startswith("decimal")]
            changes = [f"cast({name} * 3 + 1 as {types[name]}) as {name}" for name in amounts]
            if feed.delivery == "event stream":
                changes.append(f"{feed.key[0]} || $2 as {feed.key[0]}")
            dated = (
                {"again": "business_date", "moved": f"date '{next_day}'"}
                if feed.business_date_column
                else {"again": None}
            )
            for suffix, day in dated.items():
                own = [*changes, f"date '{next_day}' as _known_date", "'planted' || $2 as _delivery"]
                own += [f"{day} as business_date"] if day else []
                connection.execute(
                    f"insert into raw.{feed.name} select * replace ({', '.join(own)}) from raw.{feed.name} "
                    "where _known_date <= cast($1 as date) and _known_date > date '1900-01-01'",
                    [as_of, suffix],
                )


@pytest.mark.full  # tests/pipeline/test_parity.py compares features and labels of both engines in every run
def test_engines_agree(full_bank: Bank, tmp_path: Path, postgres_dsn: str) -> None:
    copy_raw(full_bank, postgres_dsn)
    settings = temporary_settings(tmp_path, target="postgres", postgres_dsn=postgres_dsn)
    first = {"business_date": year.INITIAL_DATE, "from_date": year.FIRST_DATE, "as_of_dates": year.MONTH_ENDS}
    days = [day for day, _ in year.DAYS]
    on_top = {"business_date": days[-1], "from_date": min(start for _, start in year.DAYS), "as_of_dates": days}
    for variables in (first, on_top):
        run_dbt(settings, MODELS, variables)
    with psycopg.connect(postgres_dsn) as postgres:
        for table in (FEATURES, PURCHASES, *LABELS):
            names = [name for (name,) in full_bank.rows(f"select name from pragma_table_info('{table}')")]
            query = f"select {', '.join(names)} from {table} order by as_of_date, customer_key"
            for expected, got in zip(full_bank.rows(query), postgres.execute(query).fetchall(), strict=True):
                assert [value is None for value in got] == [value is None for value in expected]
                numbers = ([value for value in row[2:] if isinstance(value, float)] for row in (got, expected))
                assert next(numbers) == pytest.approx(next(numbers), rel=1e-9)
                assert [v for v in got if not isinstance(v, float)] == [v for v in expected if not isinstance(v, float)]
