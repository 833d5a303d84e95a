"""What a spreadsheet would take for a formula is set off, and nothing else."""

from decimal import Decimal

import pytest

from lakehouse.spreadsheets import plain


@pytest.mark.faults("formulas", store="duckdb")
@pytest.mark.parametrize("text", ["=1+1", "+86 139", "-5", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "＠x", "－5"])
def test_a_formula_is_set_off(text: str) -> None:
    assert plain(text) == f"'{text}"


@pytest.mark.parametrize("value", ["B0001", "李四", "", "a=b", -5, Decimal("-0.01"), None, True])
def test_what_is_none_stays(value: object) -> None:
    assert plain(value) == value
