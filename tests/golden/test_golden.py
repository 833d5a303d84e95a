"""One full run, and daily runs, publish what independent SQL makes of the landed files.

``expected/<mart>.sql`` reads the landed files (see ``landed.py``), never the lake nor an output of the pipeline. A bank
of 150 customers gets a posting that comes late, a day that is delivered again with one changed cent, a posting that is
told twice, and customer records that change out of order (see ``amend.py``).
"""

import json
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

import simulator
from c360 import pipeline
from c360.metrics import query_metrics
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.conftest import parsed, temporary_settings
from tests.faults_table import Fault
from tests.golden import landed
from tests.golden.amend import amend
from tests.golden.questions import QUESTIONS, TABLES

pytestmark = pytest.mark.timeout(1200)  # the first test of a module waits for all runs
EXPECTED = Path(__file__).with_name("expected")
MARTS = sorted(path.stem for path in EXPECTED.glob("*.sql"))
FIRST = ("dim_customer", "customer_360_monthly")  # which the others read
LAST = date(2024, 8, 2)
DAYS = [LAST - timedelta(days=back) for back in (1, 0)]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven months of history, then two days, amended."""
    folder = tmp_path_factory.mktemp("bank")
    # fewer records than a linkage model needs: only exact evidence links them, which the expected SQL knows
    summary = simulator.generate(130, 7, 5, folder, days=len(DAYS), start=date(2024, 1, 1))
    assert summary.last_date == LAST
    amend(folder / "landing", DAYS)
    return folder / "landing"


@pytest.fixture(scope="module", params=["one full run", pytest.param("daily runs", marks=pytest.mark.full)])
def settings(request: pytest.FixtureRequest, landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The system after its runs: everything at once, or the history and then day by day."""
    settings = parsed(temporary_settings(tmp_path_factory.mktemp("run"), landing=landing))
    if request.param == "one full run":
        assert pipeline.run(settings, LAST, LAST) == [LAST]
    else:
        assert pipeline.run(settings) == [DAYS[0] - timedelta(days=1), *DAYS]
    return settings


@pytest.fixture(scope="module")
def expected(landing: Path) -> duckdb.DuckDBPyConnection:
    """One table per mart, of what it should hold."""
    con = landed.load(landing, LAST, temporary_settings(landing).token_secret.get_secret_value())
    con.execute("create table delivered (feed varchar, cutoff_date date)")
    for manifest in (json.loads(path.read_text()) for path in landing.glob("*/*.manifest.json")):
        con.execute("insert into delivered values ($1, $2)", [manifest["feed"], manifest["cutoff_at"][:10]])
    for mart in (*FIRST, *(mart for mart in MARTS if mart not in FIRST)):
        con.execute(f"create table {mart} as {(EXPECTED / f'{mart}.sql').read_text()}")
        if mart == "customer_360_monthly":
            con.execute(f"alter table {mart} rename to positions")
            con.execute(f"create view {mart} as from positions where as_of_date = last_day(as_of_date)")
    return con


@pytest.mark.faults("correction", store="duckdb", holds=("content",))
@pytest.mark.parametrize("mart", MARTS)
def test_published_equals_expected(settings: Settings, expected: duckdb.DuckDBPyConnection, mart: str) -> None:
    columns = ", ".join(name for name, *_ in expected.execute(f"describe {mart}").fetchall())
    expected.register("published", warehouse.query_serving(settings, f"select {columns} from marts.{mart}"))
    surplus = expected.execute(f"select {columns} from published except all select {columns} from {mart}").df()
    lacking = expected.execute(f"select {columns} from {mart} except all select {columns} from published").df()
    assert surplus.empty and lacking.empty, f"only published:\n{_shown(surplus)}\nonly expected:\n{_shown(lacking)}"
    assert expected.execute("select count(*) > 100 from published").fetchone() == (True,)


@pytest.mark.faults("correction", store="duckdb")
def test_every_balance_and_every_row_is_accounted_for(settings: Settings, fault: Fault) -> None:
    fault.balances(settings)
    fault.accounts_for(settings)
    assert fault.account_days > 1_000 and fault.rows > 1_000


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_analysts_question_is_answered_as_the_landed_files_do(
    settings: Settings, expected: duckdb.DuckDBPyConnection, question: str
) -> None:
    asked = QUESTIONS[question]
    rows = query_metrics(settings, asked.metrics, asked.by).rows
    answers = by_key(rows, len(asked.by))
    wanted = by_key(expected.execute(asked.expected).fetchall(), len(asked.by))
    differ = [
        (key, answers.get(key), wanted.get(key)) for key in answers | wanted if answers.get(key) != wanted.get(key)
    ]
    assert rows and not differ[:5]


@pytest.mark.parametrize("question", TABLES)
def test_a_documented_table_answers_as_the_landed_files_do(
    settings: Settings, expected: duckdb.DuckDBPyConnection, question: str
) -> None:
    published, wanted = TABLES[question]
    rows = warehouse.query_serving(settings, published).to_pylist()
    assert rows and sorted(tuple(row.values()) for row in rows) == sorted(expected.execute(wanted).fetchall())


def by_key(rows: Iterable[tuple], width: int) -> dict[tuple, tuple]:
    """Figures by what divides them; a month without a move is no row, or one of zeros."""
    plain = {row[:width]: tuple(value or 0 for value in row[width:]) for row in rows}
    return {key: values for key, values in plain.items() if any(values)}


def test_the_amendments_bite(landing: Path) -> None:
    """What the runs must get right is really there: without it the comparison would say little."""
    con = landed.load(landing, LAST, "secret")
    late, repeated, replaced, changed = con.execute("""
        select
            (select count(*) from transactions where business_date < known_date - 30),
            (select count(*) - count(distinct txn_id) from transactions),
            (select count(*) from transactions_told as told join transactions using (txn_id)
             where not told.is_current and told.amount != transactions.amount),
            (select count(*) from customers where business_date < known_date)
    """).fetchone()
    assert (late, repeated, replaced, changed) == (1, 1, 1, 1)


def _shown(rows: pd.DataFrame) -> str:
    return rows.head(5).T.to_string() if len(rows) else "nothing"
