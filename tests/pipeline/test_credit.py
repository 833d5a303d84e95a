"""Credit early warning on the simulated bank, against SQL of its own over the deliveries as they landed."""

import duckdb

from tests.pipeline.conftest import D3, Undisturbed

TEXT = "delim = '|', all_varchar = true, header = true"
LANDED = """
    attach '{warehouse}' as readers (read_only);
    create view loans as
        select loan_no, customer_key, status, cast(business_date as date) as day
        from read_csv('{landing}/loans/*.dat', {text})
        join readers.marts.dim_party on party_key = 'cif:' || customer_no;
    create view arrears as
        select distinct customer_key, cast(repayments.business_date as date) as day
        from read_csv('{landing}/loan_repayments/*.dat', {text}) as repayments
        join (select distinct loan_no, customer_key from loans) using (loan_no)
        where cast(days_past_due as integer) >= 30;
    create view unpaid as
        select customer_key, min(due_date) as due_date
        from (
            select loan_no, repayment_id, cast(any_value(due_date) as date) as due_date
            from read_csv('{landing}/loan_repayments/*.dat', {text})
            group by loan_no, repayment_id
            having count(paid_date) = 0
        )
        join (select loan_no, customer_key, max_by(status, day) as status from loans group by all) using (loan_no)
        where status in ('running', 'in_arrears')
        group by customer_key;
"""


def landed(bank: Undisturbed) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(LANDED.format(landing=bank.settings.landing, warehouse=bank.settings.warehouse, text=TEXT))
    return connection


def running(day: str) -> str:
    """Customers whose loan was running on a day, by the rows that landed."""
    return f"""
        select customer_key from loans where day <= {day}
        group by loan_no, customer_key having max_by(status, day) = 'running'
    """


def test_the_label_is_thirty_days_past_due_within_ninety_days(day_by_day: Undisturbed) -> None:
    with landed(day_by_day) as bank:
        for (day,) in bank.sql("select distinct as_of_date from readers.features.label_credit_warning").fetchall():
            told = bank.sql(
                "select customer_key, label from readers.features.label_credit_warning where as_of_date = $day",
                params={"day": day},
            ).fetchall()
            happened = bank.sql(
                f"""
                select
                    customer_key,
                    cast(exists (
                        select 1 from arrears
                        where arrears.customer_key = running.customer_key and day > $day and day <= $day + 90
                    ) as integer)
                from ({running("$day")}) as running
                where customer_key in (
                    select customer_key from readers.features.customer_features where as_of_date = $day
                )
                """,
                params={"day": day},
            ).fetchall()
            assert sorted(told) == sorted(happened) and told
        assert bank.sql("select sum(label) from readers.features.label_credit_warning").fetchall()[0][0] > 20


def test_everybody_with_a_running_loan_is_watched_and_followed_up(day_by_day: Undisturbed) -> None:
    with landed(day_by_day) as bank:
        watched = bank.sql("select customer_key, days_past_due, band from readers.marts.credit_watch").fetchall()
        borrowers = bank.sql(running("$day"), params={"day": D3}).fetchall()
        assert sorted(key for key, *_ in watched) == sorted(key for (key,) in borrowers)
        days = dict(bank.sql("select customer_key, $day - due_date from unpaid", params={"day": D3}).fetchall())
        assert all(past_due == days.get(key, 0) for key, past_due, _ in watched)
        assert {band for key, _, band in watched if days.get(key, 0) >= 15} == {
            "red"
        }  # the score abstains: by triggers
        followed_up = bank.sql("select distinct customer_key from readers.actions.early_warning").fetchall()
        assert {key for (key,) in followed_up} == {key for key, _, band in watched if band != "green"}
