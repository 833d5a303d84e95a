"""The ledger explains every balance, and both sides of what is paid inside the bank."""

from pathlib import Path

import duckdb
import pytest

from simulator.ledger import COUNTERPARTY_BANKS, OURS

TEXT = "delim = '|', header = true, quote = '\"'"


@pytest.fixture(scope="module")
def ledger(bank: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for feed in ("transactions", "balances", "accounts"):
        files = bank / "landing" / feed / "*.dat"
        connection.execute(f"create table {feed} as select * from read_csv('{files}', {TEXT}, all_varchar = true)")
    connection.execute("""
        create view postings as
        select account_no, business_date, counterparty_account, counterparty_bank, txn_at, txn_type,
               case direction when 'C' then 1 else -1 end * cast(amount as decimal(18, 2)) as amount
        from transactions
    """)
    connection.execute("""
        create view derived as
        select account_no, business_date,
               sum(sum(amount)) over (partition by account_no order by business_date) as balance
        from postings
        group by account_no, business_date
    """)
    return connection


def test_balances_are_the_running_sums_of_postings(ledger: duckdb.DuckDBPyConnection) -> None:
    days, differing = ledger.execute("""
        select count(*),
               count(*) filter (where cast(bank.balance as decimal(18, 2)) is distinct from derived.balance)
        from derived full join balances as bank using (account_no, business_date)
    """).fetchone()
    assert days > 10_000
    assert differing == 0


def test_no_account_is_overdrawn(ledger: duckdb.DuckDBPyConnection) -> None:
    assert ledger.execute("select count(*) from derived where balance < 0").fetchone() == (0,)


def test_closed_accounts_end_at_nothing_and_stay_still(ledger: duckdb.DuckDBPyConnection) -> None:
    closed, astray = ledger.execute("""
        with closed as (
            select account_no, closed_date from accounts where status = 'closed'
        ),

        ends as (
            select account_no, closed_date, sum(amount) as rest, max(business_date) as last_date
            from closed left join postings using (account_no)
            group by account_no, closed_date
        )

        select count(*), count(*) filter (where coalesce(rest, 0) <> 0 or last_date > closed_date) from ends
    """).fetchone()
    assert closed > 20
    assert astray == 0


def test_money_paid_inside_the_bank_has_both_postings(ledger: duckdb.DuckDBPyConnection) -> None:
    inside = f"counterparty_bank = '{COUNTERPARTY_BANKS[OURS]}'"
    postings, single = ledger.execute(f"""
        with sides as (
            select least(account_no, counterparty_account) as one, greatest(account_no, counterparty_account) as other,
                   txn_at, sum(amount) as net
            from postings where {inside}
            group by all
        )

        select (select count(*) from postings where {inside}), count(*) from sides where net <> 0
    """).fetchone()
    assert postings > 1_000
    assert single == 0


def test_every_posting_is_on_a_known_open_account(ledger: duckdb.DuckDBPyConnection) -> None:
    strays = ledger.execute("""
        with lives as (
            select account_no, min(business_date) as first_date, max(closed_date) as closed_date
            from accounts group by account_no
        )

        select count(*) from postings left join lives using (account_no)
        where first_date is null or business_date < first_date or business_date > closed_date
    """).fetchone()
    assert strays == (0,)
