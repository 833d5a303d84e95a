"""Whatever a file holds, it is read with a row for every line, or refused in words that quote none of it.

``C360_FUZZ_SECONDS`` says how long; a few seconds by default, a minute with the full tests.
"""

import csv
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.adapters.delimited import Delimited, read_delimited
from lakehouse.errors import Stop
from ml_jobs.own_tables.columns import Columns
from ml_jobs.own_tables.delivered import Delivered
from ml_jobs.own_tables.roles import (
    date_candidates,
    entity_candidates,
    holds_personal_data,
    label_candidates,
    panel_key,
    why_identifier,
)
from ml_jobs.own_tables.writings import MISSING
from ml_jobs.task_file import Reading

SECONDS = float(os.environ.get("C360_FUZZ_SECONDS", "4"))
TESTS = 4  # share the time
CANARY = "kanarie"  # in cells: no message may quote it
ODD = ["", " ", "#", "#1", '"', "a\nb", "1,5", "1.234,56", "$3", "(2)", "4-", "12%", "n.a.", "03/04/2024"]
ODD += [
    "２０",
    "NaN",
    "2024-01-31T00:00:00+08:00",
    "9" * 25,
    "007",
    "∞",
    "\x85",
    "sep=;",
    "a;b",
    "x|y",
    "\t",
    "é",
    CANARY,
    "1e999",
]
CELLS = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(str),
    st.dates().map(str),
)
LINES = st.lists(st.one_of(st.text(st.sampled_from('ab1,;|\t"# \r\n')), CELLS), max_size=12)


def fuzzed(strategy: st.SearchStrategy, check: Callable) -> None:
    """Try the check on examples until its share of the time is over."""
    ends = time.monotonic() + SECONDS / TESTS

    @settings(max_examples=100, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def tried(example: object) -> None:
        if time.monotonic() < ends:
            check(example)

    while time.monotonic() < ends:
        tried()


def read_or_refused(path: Path, delimiter: str | None = None) -> Delimited | None:
    """What is read; None if it is refused, by the file's name and without its content."""
    try:
        return read_delimited(path, delimiter)
    except Stop as stop:
        message = str(stop)
    assert message.startswith(str(path)) and CANARY not in message
    return None


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[list[str]], str]:
    width = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=12))
    return [[f"column {number} x" for number in range(width)], *rows], draw(st.sampled_from(",;|\t"))


def test_a_written_table_is_read_back_whole(tmp_path):
    path = tmp_path / "table.csv"

    def check(example: tuple[list[list[str]], str]) -> None:
        rows, mark = example
        text = io.StringIO()
        csv.writer(text, delimiter=mark, lineterminator="\r\n").writerows(rows)  # by which a lone CR is quoted
        path.write_text(text.getvalue(), encoding="utf-8", newline="")
        if (read := read_or_refused(path, mark)) is None:
            return
        assert read.table.num_rows == len(rows) - 1
        expected = [[cell.strip() or None for cell in row] for row in rows[1:]]
        assert [list(row.values()) for row in read.table.to_pylist()] == expected

    fuzzed(tables(), check)


def test_any_lines_are_read_or_refused(tmp_path):
    path = tmp_path / "table.csv"

    def check(lines: list[str]) -> None:
        path.write_text("id,name\n" + "\n".join(lines), encoding="utf-8", newline="")
        if (read := read_or_refused(path)) is None:
            return
        assert len(read.lines) == read.table.num_rows
        assert (read.lines[1:] > read.lines[:-1]).all()

    fuzzed(LINES, check)


def test_any_bytes_are_read_or_refused(tmp_path):
    path = tmp_path / "table.csv"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        read_or_refused(path)

    fuzzed(st.one_of(st.binary(max_size=200), st.text().map(lambda text: text.encode("utf-16"))), check)


def test_every_column_is_read_as_something():
    def check(cells: list[str]) -> None:
        frame = pd.DataFrame({"phone": pd.Series([cell.strip() or None for cell in cells], dtype="str")})
        columns = Columns(Delivered(frame, utc_offset="+08:00"), Reading())
        read = columns["phone"]
        assert (read.present == (frame["phone"].notna() & ~frame["phone"].isin(MISSING)).to_numpy()).all()
        if read.kind == "category":
            assert ((read.values < 0) == ~read.present).all()
        elif read.kind != "empty":
            assert ((read.present & pd.isna(read.values)) == read.unreadable).all()
        why_identifier("phone", columns)
        holds_personal_data("phone", columns)
        for candidates in (entity_candidates(columns, "y"), date_candidates(columns, "y"), label_candidates(columns)):
            assert all(candidate.why for candidate in candidates)
        panel_key(columns, set())

    fuzzed(st.lists(CELLS, min_size=1, max_size=30), check)


@pytest.mark.full
def test_a_minute_of_it(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SECONDS", max(SECONDS, 60))
    test_a_written_table_is_read_back_whole(tmp_path)
    test_any_lines_are_read_or_refused(tmp_path)
    test_any_bytes_are_read_or_refused(tmp_path)
    test_every_column_is_read_as_something()
