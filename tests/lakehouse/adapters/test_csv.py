"""A CSV file as a delivery: rows of other months, rounded amounts and misfits are counted and named by line."""

import re
from datetime import date

import pytest
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse.adapters.csv import adapt
from lakehouse.errors import Stop

CUSTOMER = {
    "customer_no": "id",
    "name": "name",
    "birth_date": "strptime(dob, '%Y%m%d')",
    "monthly_income": "income",
    "party_type": "'P'",
    "home_branch_code": "'B1'",
    "opened_date": "date '2024-01-01'",
}


def written(folder, rows: list[str], header: str = "id,name,dob,income,day"):
    path = folder / "people.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def people(count: int, income: str = "{n}.50", day: str = "2024-01-05") -> list[str]:
    return [f"{'#' * (n % 2)}{n:04},Person {n},1950{n % 12 + 1:02}15,{income.format(n=n)},{day}" for n in range(count)]


def test_every_record_is_delivered_keys_that_begin_with_a_hash_as_well(tmp_path):
    path = written(tmp_path, ["# page 1", *people(40)])
    adapted = adapt(path, "customers", CUSTOMER, date(2024, 1, 1), tmp_path / "landing")
    assert adapted.rows == 40
    assert adapted.notes == ("40 rows, divided by comma, in UTF-8", "comments that begin with #, so not read: line 2")


@pytest.mark.parametrize(
    ("rows", "note"),
    [
        (people(3, income="{n}.505"), "monthly_income: 3 values have more than 2 decimals and are .*: lines 2, 3, 4"),
        ([*people(2), *people(1, income="0.505")], "monthly_income: 1 value has more than 2 decimals .*: line 4"),
        (
            [*people(2), *people(3, day="2024-02-01"), *people(1, day="2023-12-31")],
            r"4 rows of other months, not in this delivery: 2023-12 1 \(from line 7\), 2024-02 3 \(from line 4\)",
        ),
    ],
)
def test_what_the_delivery_changes_or_leaves_out_is_told(tmp_path, rows, note):
    expressions = CUSTOMER | {"business_date": "cast(day as date)"}
    notes = adapt(written(tmp_path, rows), "customers", expressions, date(2024, 1, 1), tmp_path / "landing").notes
    assert any(re.match(note, told) for told in notes)


@pytest.mark.parametrize(
    ("rows", "change", "message"),
    [
        ([*people(3), "9,Eve Secret,1950-1-1,1,2024-01-05"], {}, "line 5: birth_date is not of type date"),
        ([*people(3), "9,Eve Secret,19500101,a lot,2024-01-05"], {}, "line 5: monthly_income is not of type decimal"),
        ([*people(3), "9,Eve Secret,19500101,1,"], {}, "1 row without business_date, the first in line 5"),
        ([*people(3), "9,Eve Secret,19500101"], {}, "line 5 has 3 fields, the header has 5"),
        (people(3), {"name": "nobody"}, "correct the expressions of --set"),
    ],
)
def test_a_misfit_stops_with_its_line_and_without_its_content(tmp_path, rows, change, message):
    expressions = CUSTOMER | {"business_date": "cast(day as date)"} | change
    with pytest.raises(Stop, match=message) as stop:
        adapt(written(tmp_path, rows), "customers", expressions, date(2024, 1, 1), tmp_path / "landing")
    assert "Secret" not in str(stop.value) and "a lot" not in str(stop.value)


def test_an_export_that_changes_midway_is_refused_by_the_command(tmp_path):
    path = written(tmp_path, [*people(20), *(f"{row},x" for row in people(20))])
    sets = [word for name, sql in CUSTOMER.items() for word in ("--set", f"{name}={sql}")]
    command = ["adapt", "csv", str(path), "customers", "--month", "2024-01", "--out", str(tmp_path / "landing"), *sets]
    shown = CliRunner().invoke(app, command)
    assert shown.exit_code == 1
    assert "from line 22 on, lines have 6 fields, the header has 5 fields: 20 rows before, 20 rows" in shown.output
