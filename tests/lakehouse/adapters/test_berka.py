"""The Berka adapter: on the real bank's files against independent SQL over them, and on small files with faults."""

import os
from datetime import date
from pathlib import Path

import duckdb
import pytest

from c360 import pipeline
from lakehouse import warehouse
from lakehouse.adapters import berka
from lakehouse.settings import PROJECT
from tests.conftest import temporary_settings

RAW = Path(os.environ.get("BERKA_DIR") or PROJECT.parent / "shared/data/berka/raw")
needs_berka = pytest.mark.skipif(
    not (RAW / "trans_199301_199403.asc.gz").exists(),
    reason="the Berka files are not here: set BERKA_DIR to the folder with the .asc files",
)

SMALL = {
    "district.asc": 'A1;A2;A3;A4;A11;A12;A13\n1;"Praha";"Prague";100;12541;?;0.43\n',
    "account.asc": '"account_id";"district_id";"frequency";"date"\n10;1;"POPLATEK MESICNE";930101\n',
    "client.asc": '"client_id";"birth_number";"district_id"\n1;"706213";1\n2;"450204";1\n',
    "disp.asc": '"disp_id";"client_id";"account_id";"type"\n1;1;10;"OWNER"\n2;2;10;"DISPONENT"\n',
    "order.asc": '"order_id";"account_id";"bank_to";"account_to";"amount";"k_symbol"\n7;10;"YZ";"99";50.00;"LEASING"\n',
    "loan.asc": (
        '"loan_id";"account_id";"date";"amount";"duration";"payments";"status"\n5;10;930705;96396;12;8033.00;"B"\n'
    ),
    "card.asc": '"card_id";"disp_id";"type";"issued"\n3;2;"classic";931107 00:00:00\n',
    "trans.asc": (
        '"trans_id";"account_id";"date";"type";"operation";"amount";"balance";"k_symbol";"bank";"account"\n'
        '100;10;930101;"PRIJEM";"VKLAD";700.00;700.00;"";;\n'
        '102;10;930102;"VYDAJ";"PREVOD NA UCET";50.00;640.00;" ";"YZ";"99"\n'
        '101;10;930102;"VYBER";"VYBER";10.00;690.00;"";;0\n'
    ),
}


def landed(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """A view per feed over its landed files, as text."""
    for folder in landing.iterdir():
        con.execute(
            f"create view {folder.name} as select * from read_csv('{folder}/*.dat', delim = '|', quote = '\"', "
            "header = true, all_varchar = true)"
        )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    for name, text in SMALL.items():
        (source / name).write_text(text)
    return source


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, berka.Summary]:
    """The landing folder of the real bank."""
    landing = tmp_path_factory.mktemp("berka")
    return landing, berka.adapt(RAW, landing)


@pytest.fixture(scope="module")
def bank(adapted: tuple[Path, berka.Summary]) -> tuple[duckdb.DuckDBPyConnection, berka.Summary]:
    """The adapter's deliveries beside the raw files: ``postings`` is written in SQL that shares nothing with it."""
    landing, summary = adapted
    con = duckdb.connect()
    landed(con, landing)
    for name in ("account", "client", "disp", "order", "loan", "card", "district"):
        csv = f"read_csv('{RAW}/{name}.asc', delim = ';', all_varchar = true)"
        con.execute(f"create view raw_{name} as select * from {csv}")
    con.execute(f"""
        create table postings as
        with piece_a as (select * from read_csv('{RAW}/trans_199301_199403.asc.gz', delim = ';', all_varchar = true)),
        piece_b as (select * from read_csv('{RAW}/feup/trans_test.csv', delim = ';', all_varchar = true)),
        piece_c as (select * from read_csv('{RAW}/feup/transactions_df.csv.gz', delim = ';', all_varchar = true)),
        pieces as (
            select trans_id, account_id, date, type, amount, balance from piece_a
            union all select trans_id, account_id, date, type, amount, balance from piece_b
            union all select trans_id_, account_id, date_transaction, type, amount_transaction, balance from piece_c
        )
        select trans_id, any_value(account_id) as account_id, any_value(strptime('19' || date, '%Y%m%d')) as day,
               any_value(cast(amount as decimal(18, 2)) * if(type in ('PRIJEM', 'credit'), 1, -1)) as signed,
               any_value(cast(balance as decimal(18, 2))) as balance
        from pieces group by trans_id
    """)
    return con, summary


def pairs(con: duckdb.DuckDBPyConnection, ours: str, theirs: str) -> tuple[list, list]:
    return con.execute(f"{ours} order by all").fetchall(), con.execute(f"{theirs} order by all").fetchall()


@needs_berka
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("select count(*) from accounts", "select count(*) from raw_account"),
        ("select count(*) from customers", "select count(*) from raw_client"),
        ("select count(*) from transactions", "select count(*) from postings"),
        ("select count(*) from cards", "select count(*) from raw_card"),
        ("select count(*) from branches", "select count(*) from raw_district"),
        (
            "select account_no, customer_no from accounts",
            "select account_id, client_id from raw_disp where type = 'OWNER'",
        ),
        (
            "select account_no, authorised_customer_no from accounts where authorised_customer_no is not null",
            "select account_id, client_id from raw_disp where type = 'DISPONENT'",
        ),
        (
            "select direction, count(*), sum(cast(amount as decimal(18, 2))) from transactions group by all",
            "select if(signed > 0, 'C', 'D'), count(*), sum(abs(signed)) from postings group by all",
        ),
        (
            "select gender, count(*) from customers group by all",
            "select if(substr(birth_number, 3, 2)::int > 50, 'F', 'M'), count(*) from raw_client group by all",
        ),
        (
            "select loan_no, granted_date, principal from loans where status = 'running'",
            "select loan_id, strptime('19' || date, '%Y%m%d')::date::varchar, amount || '.00' from raw_loan",
        ),
        (
            "select status, count(*) from loans where status != 'running' group by all",
            "select if(status = 'A', 'repaid', 'in_arrears'), count(*) from raw_loan where status != 'C' group by all",
        ),
    ],
)
def test_figures_equal_those_of_the_raw_files(bank, ours: str, theirs: str) -> None:
    delivered, expected = pairs(bank[0], ours, theirs)
    assert delivered == expected
    assert delivered


@needs_berka
def test_repeated_rows_are_dropped_and_counted(bank) -> None:
    con, summary = bank
    assert summary.repeated_rows == 49_102 + 24_494 + 30_200 - 97_005
    assert summary.last_business_date == date(1998, 12, 31)
    for feed, rows in summary.rows.items():
        assert con.execute(f"select count(*) from {feed}").fetchone() == (rows,), feed


@needs_berka
def test_the_final_balance_is_the_one_that_the_postings_add_up_to(bank) -> None:
    """The last day's row nearest to the sum of all postings, wherever rounding can explain what is left."""
    con, _ = bank
    unequal = con.execute("""
        with totals as (
            select account_id, sum(signed) as total, count(*) as postings, max(day) as last_day
            from postings group by all
        ),
        final as (
            select account_id, arg_min(balance, abs(balance - total)) as balance,
                   min(abs(balance - total)) as difference, any_value(postings) as postings
            from postings join totals using (account_id) where day = last_day group by all
        ),
        delivered as (
            select account_no as account_id, arg_max(cast(balance as decimal(18, 2)), business_date) as balance
            from balances group by all
        )
        select account_id, difference > postings * 0.1 as is_hole from final full join delivered using (account_id)
        where final.balance is distinct from delivered.balance or difference > postings * 0.1
    """).fetchall()
    assert len(unequal) == 22
    assert all(is_hole for _, is_hole in unequal)


@needs_berka
def test_delivered_order_is_the_balance_chain(bank) -> None:
    """Each row starts where the one before it ended, to 0.1, but for the accounts of the cut day."""
    broken = (
        bank[0]
        .execute("""
        with ordered as (
            select account_no, business_date, abs(balance - signed
                   - lag(balance, 1, 0) over (partition by account_no order by txn_at)) as gap
            from transactions join postings on trans_id = txn_id
        )
        select business_date, count(*), count(distinct account_no) from ordered where gap > 0.1 group by all
    """)
        .fetchall()
    )
    assert broken == [("1994-03-31", 22, 22)]


@needs_berka
def test_nothing_is_known_before_it_happened(bank) -> None:
    con, _ = bank
    leaks = """
        select loan_no from loans where status != 'running' and cast(business_date as date)
            < least(date '1998-12-31', cast(granted_date as date) + to_months(cast(term_months as integer)))
        union all select loan_no from loan_repayments where business_date < due_date
        union all select card_id from cards where business_date < issued_date
        union all select txn_id from transactions where txn_at not like business_date || ' 12:%'
    """
    assert con.execute(leaks).fetchall() == []


@needs_berka
def test_the_same_source_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        berka.adapt(RAW, tmp_path / name)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]
    assert len(files) > 1000
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


@needs_berka
@pytest.mark.full
@pytest.mark.timeout(1800)
def test_the_whole_main_job_on_the_real_bank(adapted, bank, tmp_path: Path) -> None:
    """Published figures equal those of the raw files; the scores that the data cannot support abstain."""
    con, _ = bank
    settings = temporary_settings(tmp_path, landing=adapted[0], deployment=PROJECT / "deployments" / "berka.yml")
    assert pipeline.run(settings) == [date(1998, 12, 31)]

    def published(sql: str) -> list[tuple]:
        return [tuple(row.values()) for row in warehouse.query_serving(settings, sql).to_pylist()]

    for ours, theirs in {
        "select count(*) from marts.dim_account": "select count(*) from raw_account",
        "select count(*) from marts.dim_customer where is_current": "select count(*) from raw_client",
        "select direction, count(*), sum(amount) from marts.fct_transactions group by direction order by direction": (
            "select if(signed > 0, 'C', 'D') as side, count(*), sum(abs(signed)) from postings group by 1 order by 1"
        ),
        """
        select account_no, balance_amount from marts.fct_balances_daily
        where (account_no, business_date) in (
            select (account_no, max(business_date)) from marts.fct_balances_daily group by account_no
        ) order by account_no
        """: "select account_id, sum(signed) from postings group by account_id order by account_id",
    }.items():
        assert published(ours) == con.execute(theirs).fetchall()
    breaks = "select business_date, count(*) from marts.balance_breaks where abs(break_amount) > 1 group by 1"
    assert published(breaks) == [(date(1994, 3, 31), 22)]
    for task in ("churn", "churn_survival", "deposit_churn", "tier_upgrade", "tier_downgrade", "credit_warning"):
        assert published(f"select count(*) from scores.{task}") == [(0,)]
        (abstention,) = (settings.lake / "models" / task / "abstentions").glob("*.json")
        assert "extract" in abstention.read_text()


def test_small_bank(small: Path, tmp_path: Path) -> None:
    summary = berka.adapt(small, tmp_path / "landing")
    con = duckdb.connect()
    landed(con, tmp_path / "landing")
    assert summary.rows == {
        "customers": 2,
        "accounts": 1,
        "transactions": 3,
        "balances": 2,
        "loans": 2,
        "loan_repayments": 2,
        "cards": 1,
        "products": 4,
        "branches": 1,
    }
    columns = "txn_id, txn_at, amount, direction, channel, txn_type, counterparty_account, counterparty_bank, remark"
    assert con.execute(f"select {columns} from transactions order by txn_at").fetchall() == [
        ("100", "1993-01-01 12:00:00", "700.00", "C", "counter", "cash", None, None, None),
        ("101", "1993-01-02 12:00:00", "10.00", "D", "counter", "cash", None, None, None),
        ("102", "1993-01-02 12:00:01", "50.00", "D", "batch", "transfer", "YZ-99", "YZ", "leasing, standing order 7"),
    ]
    assert con.execute("select business_date, balance from balances order by 1").fetchall() == [
        ("1993-01-01", "700.00"),
        ("1993-01-02", "640.00"),
    ]
    people = "select gender, birth_date, city, opened_date from customers order by customer_no"
    assert con.execute(people).fetchall() == [
        ("F", "1970-12-13", "Praha", "1993-01-01"),
        ("M", "1945-02-04", "Praha", "1993-01-01"),
    ]
    assert con.execute("select business_date, status from loans order by 1").fetchall() == [
        ("1993-07-05", "running"),
        ("1994-07-05", "in_arrears"),
    ]
    states = "select business_date, due_date, paid_amount, days_past_due from loan_repayments order by 1"
    assert con.execute(states).fetchall() == [
        ("1994-07-05", "1994-07-05", "0.00", "0"),
        ("1998-12-31", "1994-07-05", "0.00", "1640"),
    ]
    assert con.execute("select customer_no, account_no from cards").fetchall() == [("2", "10")]
    assert con.execute("select customer_no, authorised_customer_no from accounts").fetchall() == [("1", "2")]


def test_a_loan_is_described_as_known_before_its_grant(small: Path, tmp_path: Path) -> None:
    def loans(statuses: str = "B") -> list[dict]:
        first = SMALL["loan.asc"].splitlines()
        rows = [f'{5 + place};10;930705;96396;12;8033.00;"{status}"' for place, status in enumerate(statuses)]
        (small / "loan.asc").write_text("\n".join([first[0], *rows]) + "\n")
        berka.write_loans(small, tmp_path / "loans.parquet")
        return duckdb.read_parquet(str(tmp_path / "loans.parquet")).to_arrow_table().to_pylist()

    (loan,) = before = loans()
    assert (loan["loan_id"], loan["granted_date"], loan["is_bad"]) == (5, date(1993, 7, 5), 1)
    assert (loan["loan_amount"], loan["term_months"], loan["instalment_amount"]) == (96396, 12, 8033)
    assert (loan["gender"], round(loan["age_years"], 2)) == ("F", 22.56)
    assert (loan["txn_count"], loan["history_days"], loan["last_balance_amount"]) == (3, 185, 640)
    assert (loan["payee_count"], loan["days_since_transfer_out"]) == (1, 184)
    assert loan["card_count"] == 0  # issued after the grant
    assert loan["lowest_balance_amount_180d"] is None
    with (small / "trans.asc").open("a") as file:  # on the day of the grant, and after
        file.write('103;10;930705;"VYDAJ";"VYBER";600.00;40.00;"";;0\n')
        file.write('104;10;930801;"VYDAJ";"VYBER";90.00;-50.00;"SANKC. UROK";;0\n')
    assert loans() == before
    assert [loan["is_bad"] for loan in loans("ABCD")] == [0, 1, 0, 1]


@needs_berka
def test_every_loan_of_the_real_bank_is_described(bank, tmp_path: Path) -> None:
    con, _ = bank
    assert berka.write_loans(RAW, tmp_path / "loans.parquet") == 682
    ours, theirs = pairs(
        con,
        f"select loan_id, is_bad, txn_count, lowest_balance_amount_180d from '{tmp_path}/loans.parquet'",
        """
        select loan.loan_id::int, (loan.status in ('B', 'D'))::int, count(*),
            min(postings.balance) filter (where strptime('19' || loan.date, '%Y%m%d')::date - postings.day::date <= 180)
        from raw_loan as loan
        join postings on postings.account_id = loan.account_id
            and postings.day::date < strptime('19' || loan.date, '%Y%m%d')::date
        group by all
        """,
    )
    assert ours == theirs
    assert sum(row[1] for row in ours) == 76


def test_missing_values_of_a_district_are_null(small: Path, tmp_path: Path) -> None:
    (small / "district.asc").write_text(SMALL["district.asc"].replace("12541;?;0.43", "?;?;?"))
    berka.adapt(small, tmp_path / "landing")
    con = duckdb.connect()
    landed(con, tmp_path / "landing")
    assert con.execute("select average_salary, unemployment_rate from branches").fetchall() == [(None, None)]


def test_an_extract_that_repeats_rows_in_english_adds_none(small: Path, tmp_path: Path) -> None:
    (small / "feup").mkdir()
    (small / "feup" / "trans_train.csv").write_text(
        "trans_id;account_id;date;type;operation;amount;balance;k_symbol;bank;account\n"
        "101;10;930102;withdrawal in cash;withdrawal in cash;10.0;690.0;;;0.0\n"
        "103;10;930103;credit;;5.5;645.5;interest credited;;\n"
    )
    summary = berka.adapt(small, tmp_path / "landing")
    assert (summary.rows["transactions"], summary.repeated_rows) == (4, 1)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("account.asc", "930101", "931301", r"account.asc, line 2, column date: '931301'"),
        ("account.asc", "POPLATEK MESICNE", "DAILY", r"account.asc, line 2, column frequency: 'DAILY'"),
        ("client.asc", "450204", "459904", r"client.asc, line 3, column birth_number: '459904'"),
        ("trans.asc", "640.00", "64O.00", r"trans.asc, line 3, column balance: '64O.00'"),
        ("trans.asc", '"VYBER";"VYBER"', '"VYBER";"VKLAT"', r"trans.asc, line 4, column operation: 'VKLAT'"),
        ("trans.asc", "101;10;", "101;;", r"trans.asc, line 4, column account_id: None"),
        ("trans.asc", "101;10;", "101;11;", r"trans.asc, line 4, column account_id: '11' not in account"),
        ("trans.asc", "101;10;", "100;10;", r"trans.asc, line 4, column trans_id: '100' given before"),
        ("trans.asc", '10.00;690.00;"";;0', "10.00", r"trans.asc, line 4, column "),
        ("trans.asc", '"balance"', '"saldo"', r"trans.asc, line 1: no column balance"),
        ("disp.asc", "DISPONENT", "OWNER", r"account.asc, line 2, column account_id: '10' has 2 owners"),
        ("loan.asc", '"B"', '"E"', r"loan.asc, line 2, column status: 'E'"),
    ],
)
def test_a_malformed_file_is_refused_by_file_line_and_column(
    small: Path, tmp_path: Path, file: str, old: str, new: str, message: str
) -> None:
    assert old in SMALL[file]
    (small / file).write_text(SMALL[file].replace(old, new, 1))
    with pytest.raises(berka.MalformedSource, match=message):
        berka.adapt(small, tmp_path / "landing")
    assert not (tmp_path / "landing").exists()


@pytest.mark.parametrize("file", sorted(SMALL))
def test_a_missing_file_is_named(small: Path, tmp_path: Path, file: str) -> None:
    (small / file).unlink()
    with pytest.raises(berka.MalformedSource, match=file.removesuffix(".asc")):
        berka.adapt(small, tmp_path / "landing")


def test_line_numbers_hold_in_a_long_file(small: Path, tmp_path: Path) -> None:
    lines = [f'{number};10;930102;"PRIJEM";"VKLAD";1.00;{number}.00;"";;' for number in range(1000, 400_000)]
    lines[300_000] = lines[300_000].replace("VKLAD", "X")
    (small / "trans.asc").write_text(SMALL["trans.asc"] + "\n".join(lines) + "\n")
    with pytest.raises(berka.MalformedSource, match="line 300005, column operation: 'X'"):
        berka.adapt(small, tmp_path / "landing")
