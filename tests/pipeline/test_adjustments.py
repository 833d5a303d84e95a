"""What people adjust by hand stands beside the bank's own figures, with two names, in every report that it touches.

The simulated history has some that are all right; those of the three days, `ADJUSTMENTS`, are not.
"""

import csv
from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from c360.status import lines_of, read_status
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.pipeline.bank import ADJUSTED, branches_of
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY, Undisturbed

DEPOSITS, INVESTMENTS = (f"{ADJUSTED}{name}_amount" for name in ("deposit", "investment"))


@pytest.fixture(scope="module")
def bank(day_by_day: Undisturbed) -> Settings:
    return day_by_day.settings


def rows(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> list[tuple]:
    return [tuple(row.values()) for row in warehouse.query_serving(settings, statement, parameters).to_pylist()]


def of_history(landing: Path) -> list[dict[str, str]]:
    """The adjustments that the bank delivered with its months, all of which count."""
    files = sorted((landing / "adjustments").glob("adjustments_????-??_v1.dat"))
    return [row for file in files for row in csv.DictReader(file.read_text("utf-8").splitlines(), delimiter="|")]


def total(lines: Sequence[dict[str, str]], element: str) -> tuple[int, Decimal]:
    """How many of the lines are of an element, and their sum."""
    amounts = [Decimal(line["amount"]) for line in lines if line["element"] == element]
    return len(amounts), sum(amounts, Decimal(0))


def test_each_is_listed_with_its_file_and_line_and_with_what_became_of_it(bank: Settings) -> None:
    first, second, *_ = branches_of(bank.landing)
    listed = rows(
        bank,
        "select adjustment_id, business_date, effective_date, element, branch_code, amount, source_file, source_row, "
        "prepared_by, approved_by, refusal, reversed_by_adjustment_id, reversed_date "
        "from ops.adjustments where business_date > $1 order by adjustment_id",
        [LAST_OF_HISTORY],
    )
    file, later = (f"adjustments_{day}_v1.dat" for day in (D1, D3))
    names, amount = ("S0042", "S0043"), Decimal("1000.50")
    assert listed == [
        ("A1", D1, LAST_OF_HISTORY, DEPOSITS, first, amount, file, 2, *names, None, "R1", D2),
        ("A2", D1, D1, INVESTMENTS, second, Decimal(-500), file, 3, *names, None, None, None),
        ("A3", D1, D1, DEPOSITS, "B???", Decimal(7), file, 4, *names, "no such branch", None, None),
        ("R1", D3, D2, DEPOSITS, first, -amount, later, 2, *names, None, None, None),
        ("R2", D3, D3, DEPOSITS, first, -amount, later, 3, *names, "reversed before", None, None),
    ]
    told = of_history(bank.landing)
    standing = 1 + sum(1 if not line["reverses_adjustment_id"] else -1 for line in told)
    assert len(told) > 5 and 1 < standing < len(told)
    said = f"{standing} stand, 2 refused; see ops.adjustments"
    assert ("manual adjustments", said) in list(lines_of(read_status(bank)))


def test_one_of_the_history_counts_with_both_names_and_what_took_it_back(bank: Settings) -> None:
    told = {line["adjustment_id"]: line for line in of_history(bank.landing)}
    taken_back = {line["reverses_adjustment_id"]: name for name, line in told.items() if line["reverses_adjustment_id"]}
    listed = rows(
        bank,
        "select adjustment_id, amount, prepared_by, approved_by, is_counted, reversed_by_adjustment_id "
        "from ops.adjustments where business_date <= $1 order by adjustment_id",
        [LAST_OF_HISTORY],
    )
    assert taken_back and listed == [
        (name, Decimal(line["amount"]), line["prepared_by"], line["approved_by"], True, taken_back.get(name))
        for name, line in sorted(told.items())
    ]


def test_a_figure_has_it_from_its_day_on_and_returns_when_it_is_taken_back(bank: Settings) -> None:
    first, second, *_ = branches_of(bank.landing)
    found = rows(
        bank,
        "select as_of_date, home_branch_code, deposit_adjustment_amount, investment_adjustment_amount "
        "from marts.adjusted_assets",
    )
    expected: dict[tuple[date, str], list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for line in of_history(bank.landing):
        for day in {day for day, *_ in found if str(day) >= line["effective_date"]}:
            expected[day, line["branch_code"]][line["element"] == INVESTMENTS] += Decimal(line["amount"])
    assert len({day for (day, _), amounts in expected.items() if any(amounts)}) > 5
    expected[LAST_OF_HISTORY, first][0] += Decimal("1000.50")
    expected[D3, second][1] -= 500
    assert {(day, branch): amounts for day, branch, *amounts in found if any(amounts)} == {
        key: amounts for key, amounts in expected.items() if any(amounts)
    }
    own = rows(
        bank,
        "select as_of_date, home_branch_code, sum(deposit_amount), sum(investment_amount) "
        "from marts.customer_positions group by all order by all",
    )
    both = rows(
        bank,
        "select as_of_date, home_branch_code, adjusted_deposit_amount - deposit_adjustment_amount, "
        "adjusted_investment_amount - investment_adjustment_amount from marts.adjusted_assets order by all",
    )
    assert both == own and any(deposits for _, _, deposits, _ in own)


def test_every_report_that_it_touches_is_named_and_says_whether_it_is_in_the_figure(bank: Settings) -> None:
    of_one = "select report, is_adjusted from ops.adjustments_in_reports where adjustment_id = 'A1'"
    touched: dict[str, bool] = dict(rows(bank, of_one))
    # read out of the SQL and the definitions by hand
    assert {name: touched.get(name) for name in ("deposits", "aum", "adjusted_deposits", "adjusted_aum", "board")} == {
        "deposits": False, "aum": False, "adjusted_deposits": True, "adjusted_aum": True, "board": True,
    }  # fmt: skip
    assert touched["marts.adjusted_assets.adjusted_deposit_amount"] and not touched["marts.adjusted_assets.aum_amount"]
    assert not touched[DEPOSITS] and not touched[f"{ADJUSTED}aum_amount"] and not touched["money_at_risk"]
    assert INVESTMENTS not in touched and "customers" not in touched and "quality" not in touched
    listed = rows(bank, "select distinct adjustment_id from ops.adjustments_in_reports order by all")
    assert listed == [("A1",), ("A2",), *((line["adjustment_id"],) for line in of_history(bank.landing)), ("R1",)]


def test_a_critical_element_says_what_was_adjusted_of_it(bank: Settings) -> None:
    adjusted = rows(
        bank,
        "select element, adjustment_count, adjustment_amount from ops.critical_elements "
        "where adjustment_count > 0 and element like 'marts.customer_360.%amount' order by element",
    )
    (deposits, deposited), (investments, invested) = (
        total(of_history(bank.landing), element) for element in (DEPOSITS, INVESTMENTS)
    )
    assert (DEPOSITS, deposits + 2, deposited) in adjusted and (
        INVESTMENTS,
        investments + 1,
        invested - 500,
    ) in adjusted
    assert (f"{ADJUSTED}aum_amount", deposits + investments + 3, deposited + invested - 500) in adjusted
    assert not [element for element, *_ in adjusted if element == f"{ADJUSTED}loan_amount"]


def test_its_amount_is_in_the_lineage_of_the_adjusted_figures_alone(bank: Settings) -> None:
    found = rows(
        bank,
        "select distinct schema_name || '.' || table_name from ops.lineage "
        "where source_name = 'adjustments' and source_column = 'amount' order by all",
    )
    figures, listed = "marts.adjusted_assets", ("adjustments", "adjustments_in_reports", "critical_elements")
    assert found == [(figures,), *((f"ops.{name}",) for name in listed)]
