"""Figures of the story bank, worked out from the raw rows in plain Python, never from the marts."""

import itertools
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

from tests.dbt.bank import Bank

BUSINESS_DATE = date(2025, 4, 3)


def current_postings(bank: Bank) -> list[tuple[str, str, date, Decimal]]:
    """(txn_id, account, day, signed amount): current rows, each number once, as it was told first."""
    told = bank.rows(
        """select txn_id, account_no_token, business_date, case direction when 'C' then amount else -amount end
           from raw.transactions where _superseded_date is null order by _known_date, _delivery, _row"""
    )
    first: dict[str, tuple] = {}
    for row in told:
        first.setdefault(row[0], row)
    return list(first.values())


def values_by_day(changes: list[tuple[date, Decimal]]) -> dict[date, Decimal]:
    """End-of-day values from 2024-10-01 to the business date."""
    days, value, result = sorted(changes), Decimal(0), {}
    day = date(2024, 10, 1)
    while day <= BUSINESS_DATE:
        value += sum(amount for on, amount in days if on == day)
        result[day] = value
        day += timedelta(days=1)
    return result


def test_balances_are_the_running_sum_of_the_postings(full_bank: Bank) -> None:
    changes = defaultdict(list)
    for _, account, day, amount in current_postings(full_bank):
        changes[account].append((day, amount))
    expected = {account: values_by_day(moves) for account, moves in changes.items()}
    found = full_bank.rows(
        "select account_no_token, business_date, balance_amount from build_marts.balances_daily_dense"
    )
    assert len({(account, day) for account, day, _ in found}) == len(found)
    assert {(account, day): value for account, day, value in found} == {
        (account, day): value
        for account, values in expected.items()
        for day, value in values.items()
        if day >= min(on for on, _ in changes[account])
    }


def test_aum_of_the_month_ends_and_of_today(full_bank: Bank) -> None:
    owners = {f"token of {account}": f"cif:{account[1]}" for account in ("A1", "A1b", "A2", "A3")}
    changes = defaultdict(list)
    for _, account, day, amount in current_postings(full_bank):
        changes[owners[account]].append((day, amount))
    changes["cif:2"] += [
        (date(2025, 2, 1), Decimal(1000)),
        (date(2025, 3, 1), Decimal(100)),
        (date(2025, 4, 2), Decimal(-1100)),
    ]
    found = full_bank.rows(
        """select customer_key, as_of_date, aum_amount, average_aum_3m_amount
           from build_intermediate.int_customer__positions_monthly where customer_key like 'cif:%'"""
    )
    assert len(found) == 3 * 4
    for customer, as_of, aum, average in found:
        days = values_by_day(changes[customer])
        window = [days[as_of - timedelta(days=back)] for back in range(90)]
        assert aum == days[as_of], (customer, as_of)
        assert average == (sum(window) / 90).quantize(Decimal("0.01"), "ROUND_HALF_UP"), (customer, as_of)


def test_tiers_follow_the_average(full_bank: Bank) -> None:
    minimums = {1: 0, 2: 10_000, 3: 50_000, 4: 200_000, 5: 500_000, 6: 2_000_000, 7: 6_000_000}
    found = full_bank.rows("select star_tier, average_aum_3m_amount from build_marts.customer_360_monthly")
    assert {tier for tier, _ in found} >= {1, 2, 4}
    for tier, average in found:
        assert tier == max(number for number, minimum in minimums.items() if average >= minimum)


def test_counterparty_classes(full_bank: Bank) -> None:
    found = dict(full_bank.rows("select txn_id, counterparty_class from build_marts.fct_transactions"))
    assert found == {
        "t01": "opening",
        "t02": "salary",
        "t03": "own_transfer",
        "t04": "own_transfer",
        "t05": "other_customer",
        "t06": "other_customer",
        "t07": "cash",
        "t08": "cash",
        "t09": "wallet",
        "t10": "other_bank",
        "t11": "cash",
        "t12": "merchant",
        "t13": "money_market_fund",
        "t15": "merchant",
        "t16": "cash",
        "t17": "other_bank",
    }


def test_identity_joins_the_online_record_to_the_customer(full_bank: Bank) -> None:
    xref = dict(full_bank.rows("select party_key, customer_key from pii.customer_xref"))
    assert xref == {
        "cif:1": "cif:1",
        "cif:2": "cif:2",
        "cif:3": "cif:3",
        "online:u1": "cif:1",
        "online:u2": "online:u2",
        "lead:d1": "cif:2",
    }
    current = full_bank.rows(
        """select customer_key, city, birth_year, is_marketing_opt_out, party_count
           from build_marts.dim_customer where is_current and customer_key in ('cif:1', 'cif:2') order by 1"""
    )
    assert current == [("cif:1", "杭州", 1980, True, 2), ("cif:2", "天津", None, False, 2)]
    spells = full_bank.rows(
        "select valid_from, valid_to from build_marts.dim_customer where customer_key = 'cif:2' order by 1"
    )
    days = [date(2025, 1, 1), date(2025, 3, 9), date(2025, 3, 25), None]
    assert spells == list(itertools.pairwise(days))


def test_one_row_per_customer_today(full_bank: Bank) -> None:
    found = full_bank.rows(
        """select customer_key, app_count_30d, mall_count_90d, loan_amount, life_cycle_stage, last_activity_date
           from build_intermediate.int_customer__position_today order by 1"""
    )
    assert [(key, app, mall, float(loan)) for key, app, mall, loan, _, _ in found] == [
        ("cif:1", 4, 0, 1100.0),  # two events (e1, e3) and two postings (t13, t17)
        ("cif:2", 0, 0, 0.0),
        ("cif:3", 0, 0, 0.0),
        ("online:u2", 1, 1, 0.0),
    ]
    stages = {key: stage for key, _, _, _, stage, _ in found}
    assert stages["cif:3"] == "lost"
    assert stages["online:u2"] == "prospect"


def test_who_may_use_an_account_belongs_to_the_household_while_a_customer(full_bank: Bank) -> None:
    """Zhao (3) may use an account of Li's, but closed her own and is lost."""
    links = full_bank.rows("select * from build_marts.household_links order by customer_key")
    assert links == [("cif:1", "cif:2", "lets use", 1), ("cif:2", "cif:1", "may use", 1)]


def test_loan_and_contacts(full_bank: Bank) -> None:
    assert full_bank.rows("select contact_kind, count(*) from build_marts.fct_contacts group by all order by 1") == [
        ("campaign_touch", 1),
        ("complaint", 1),
        ("rm_contact", 1),
    ]
    owner = full_bank.rows("select party_key from build_marts.fct_online_events where event_kind = 'wallet_payment'")
    assert owner == [("cif:1",)]


def test_an_application_begun_online_is_finished_at_the_branch(full_bank: Bank) -> None:
    found = full_bank.rows(
        "select customer_key, started_channel, outcome, branch_code from build_marts.journey_handovers"
    )
    assert found == [("cif:1", "app", "finished_at_branch", "B1")]


def test_a_journey_goes_over_all_records_and_channels(full_bank: Bank) -> None:
    found = full_bank.rows(
        """select customer_key, session_number, list(touch_id order by touch_number), any_value(channel)
           from build_marts.fct_journey where business_date >= '2025-03-05' group by all order by all"""
    )
    assert found == [
        ("cif:1", 2, ["app:e1", "app:e3"], "app"),
        ("cif:1", 3, ["v2"], "branch"),
        ("cif:1", 4, ["t16"], "branch"),
        ("cif:2", 2, ["v1"], "branch"),
        ("cif:2", 3, ["rm:c1"], "rm"),
        ("cif:2", 4, ["campaign:x1"], "campaign"),
        ("online:u2", 2, ["app:e2"], "app"),
    ]


def test_assignments_are_half_open(full_bank: Bank) -> None:
    found = full_bank.rows(
        """select rm_id, previous_rm_id, branch_code, valid_to, is_current
           from build_marts.rm_assignment order by valid_from"""
    )
    assert found == [("R0", None, None, date(2024, 1, 1), False), ("R1", "R0", "B1", None, True)]


def test_the_calendar_knows_pay_days_ends_of_quarters_and_festivals_to_come(full_bank: Bank) -> None:
    """2025-08-10 is a Sunday, 2026-01-10 a Saturday; the festival of 2026 is known, its holidays have not come."""
    rows = full_bank.rows(
        "select date_day, is_pay_day, is_quarter_end, days_to_spring_festival from build_marts.dim_date "
        "where date_day between date '2025-08-01' and date '2026-11-30' order by date_day"
    )
    paid = [str(day) for day, is_pay_day, *_ in rows if is_pay_day]
    assert paid[:3] == ["2025-08-05", "2025-08-08", "2025-08-15"] and "2026-01-09" in paid and "2026-01-10" not in paid
    ends = [str(day) for day, _, is_quarter_end, _ in rows if is_quarter_end]
    assert ends[:3] == ["2025-09-30", "2025-12-31", "2026-03-31"]
    festival = date(2026, 2, 17)
    assert {day: until for day, *_, until in rows if until is not None} == {
        festival - timedelta(days=until): until for until in range(-59, 60)
    }
