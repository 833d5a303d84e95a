"""Day by day equals all at once: with a late row, an emptied date, a re-delivery and an event told twice."""

from tests.dbt.bank import Bank


def tables(bank: Bank) -> list[str]:
    sql = """select table_schema || '.' || table_name from information_schema.tables
             where table_schema in ('build_marts', 'build_intermediate', 'pii') order by 1"""
    return [name for (name,) in bank.rows(sql)]


def test_daily_runs_equal_a_full_build(daily_bank: Bank, full_bank: Bank) -> None:
    assert tables(daily_bank) == tables(full_bank)
    derived_in_run = {"build_intermediate.int_money__counterparty_classes"}  # holds what occurs in the dates of a run
    differing = []
    for name in tables(full_bank):
        daily, full = (bank.rows(f"select * from {name} order by all") for bank in (daily_bank, full_bank))
        if daily != full and name not in derived_in_run:
            differing.append((name, set(daily) ^ set(full)))
    assert not differing


def test_no_mart_of_the_story_is_empty(full_bank: Bank) -> None:
    marts = [name for name in tables(full_bank) if name.startswith("build_marts.")]
    assert len(marts) >= 17
    empty = {name for name in marts if full_bank.rows(f"select count(*) from {name}") == [(0,)]}
    # Nobody in the story is paid onwards or leaves, and it is too short for habits: tests/pipeline has rows of these.
    too_little = {"fund_chain_paths", "fund_chain_losses"}
    too_little |= {"outflow_baselines", "outflow_alerts", "outflow_new_payees"}
    too_little |= {"action_assignments", "action_effects"}  # 90 days have not passed
    too_little |= {"credit_triggers", "customer_wishes"}  # nobody is in arrears, or refuses anything
    assert empty == {"build_marts.balance_breaks", *(f"build_marts.{mart}" for mart in too_little)}


def test_an_emptied_date_is_empty(daily_bank: Bank) -> None:
    assert daily_bank.rows("select * from build_marts.fct_balances_daily where business_date = '2025-04-01'") == []
    assert daily_bank.rows("select * from build_marts.fct_transactions where txn_id = 't14'") == []


def test_an_event_told_twice_counts_where_it_was_told_first(daily_bank: Bank) -> None:
    assert daily_bank.rows("select business_date from build_marts.fct_transactions where txn_id = 't02'") == [
        (daily_bank.rows("select date '2025-01-15'")[0][0],)
    ]
    listed = "select feed, event_key, kept_delivery, dropped_delivery from build_intermediate.int_ops__repeated_events"
    hashed = "v1-000000000000"
    assert daily_bank.rows(listed) == [
        ("transactions", "t02", f"transactions/2025-01/{hashed}", f"transactions/2025-04-02/{hashed}")
    ]
