"""The table of `make faults`: what fails or was not measured shows, and ends it with 1; every mark has its row."""

from pathlib import Path

import pytest

from checks.faults.__main__ import Measured, lines_of, marks, read_report
from checks.faults.rows import BOTH, ROWS, Row
from lakehouse.settings import PROJECT

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="test_one[duckdb]" time="2.5"><properties>
<property name="fault" value='{"row": "kill", "store": "duckdb"}' />
<property name="fault" value='{"row": "kill", "store": "duckdb", "injections": 3, "readers": ["old", "new"],
 "content": "equal", "account_days": 7, "rows": 12}' /></properties></testcase>
<testcase classname="a" name="test_one[postgres]" time="1"><properties>
<property name="fault" value='{"row": "kill", "store": "postgres"}' /></properties><error>no server</error></testcase>
<testcase classname="a" name="test_left_out" time="0"><properties>
<property name="fault" value='{"row": "disk", "store": "duckdb"}' /></properties><skipped>root</skipped></testcase>
<testcase classname="a" name="test_other" time="0" />
</testsuite></testsuites>"""


def test_a_row_is_as_its_tests_say(tmp_path: Path) -> None:
    (tmp_path / "report.xml").write_text(REPORT)
    measured = read_report(tmp_path / "report.xml")
    assert [(one.row, one.store, one.has_passed) for one in measured] == [
        ("kill", "duckdb", True),
        ("kill", "postgres", False),
    ]
    rows = (Row("kill", "a kill", BOTH), Row("disk", "a full disk", ("duckdb",)))
    lines = list(lines_of(rows, measured))
    assert lines[0] == ("a kill", "duckdb", "3", "new or old", "equal", "7", "12", "2", "ok")
    assert [line[-1] for line in lines[1:]] == ["FAIL", "FAIL", "NOT MEASURED"]  # a row, its test, a test left out


def test_one_failure_among_many_fails_the_row() -> None:
    many = [Measured(f"test_{number}", 1, number != 3, "kill", "duckdb", 1, ("old",)) for number in range(5)]
    (row, failed) = lines_of((Row("kill", "a kill", ("duckdb",)),), many)
    assert (row[2], row[3], row[-1]) == ("4", "old", "FAIL") and failed[0].strip() == "test_3"


def test_every_mark_has_its_row_and_every_row_a_name_of_its_own() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert {name for of_file in marks().values() for name in of_file} - set(names) == set()


@pytest.mark.parametrize("text", [row.told for row in ROWS])
def test_the_operator_finds_every_row(text: str) -> None:
    assert text in (PROJECT / "docs" / "OPERATOR.md").read_text()
