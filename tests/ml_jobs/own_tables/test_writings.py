"""Numbers and dates as people write them: read by the evidence of the column, counted where unreadable, else asked."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lakehouse.errors import Stop
from ml_jobs.own_tables.columns import Columns
from ml_jobs.own_tables.delivered import Delivered
from ml_jobs.own_tables.frames import as_of_dates
from ml_jobs.own_tables.writings import Texts, read_dates
from ml_jobs.task_file import Reading, Task


def columns(reading: Reading | None = None, offset: str = "+00:00", **values: list) -> Columns:
    frame = pd.DataFrame({name: pd.Series(column, dtype="str") for name, column in values.items()})
    return Columns(Delivered(frame, utc_offset=offset), reading or Reading())


@pytest.mark.parametrize(
    ("texts", "numbers", "writing"),
    [
        (["10.539,67", "3.703,38", "48.276", "12"], [10539.67, 3703.38, 48276, 12], ","),
        (["10,539.67", "3,703.38", "48,276", "12"], [10539.67, 3703.38, 48276, 12], "."),
        (["1 234,5", "99,5", "1\u202f000", "7"], [1234.5, 99.5, 1000, 7], ","),
        (["1'234.50", "2’000.00", "7", "8.5"], [1234.5, 2000, 7, 8.5], "."),
        (["12,34,567.5", "1.5", "2", "3"], [1234567.5, 1.5, 2, 3], "."),
        (["$5", "$1,000.50", "-$2.00", "$0"], [5, 1000.5, -2, 0], "."),
        (["5 €", "1.000,50 €", "-2,00 €", "0"], [5, 1000.5, -2, 0], ","),
        (["12%", "3.5 %", "0", "100%"], [0.12, 0.035, 0, 1], "."),
        (["(1.00)", "2.50", "(3.25)", "4"], [-1, 2.5, -3.25, 4], "."),
        (["1.00-", "2.50", "3-", "+4"], [-1, 2.5, -3, 4], "."),
        (["−1.5", "–2", "3", "4"], [-1.5, -2, 3, 4], "."),
        (["１２．５", "７", "￥１００", "3"], [12.5, 7, 100, 3], "."),
        (["1.5万", "2亿", "30", "4"], [15_000, 2e8, 30, 4], "."),
        (["1e3", "1.5E-2", "2", ".5"], [1000, 0.015, 2, 0.5], "."),
        (["1.234.567", "12", "13", "14"], [1234567, 12, 13, 14], ","),
        (["0,505", "1,505", "12,25", "3"], [0.505, 1.505, 12.25, 3], ","),
    ],
)
def test_numbers_in_other_writings_are_numbers(texts, numbers, writing):
    read = columns(x=texts)["x"]
    assert (read.kind, read.writing, read.question) == ("number", writing, "")
    assert read.values == pytest.approx(numbers)
    assert not read.unreadable.any()


def test_what_is_no_number_is_counted_and_never_makes_the_column_a_text():
    for slip in ("n.a.", "unknown", "1.2.3", "--", "12 apples"):
        texts = [f"{number}.25" for number in range(3_000)]
        texts[17] = slip
        read = columns(x=texts)["x"]
        assert read.kind == "number" and np.flatnonzero(read.unreadable).tolist() == [17]
        assert read.values[18] == 18.25


def test_frequent_texts_among_few_values_are_levels():
    for texts in (["0", "1", "2", "3+"], ["0", "1", "none", "2"], ["1", "2", "other", "3"]):
        assert columns(x=texts * 50)["x"].kind == "category"


@pytest.mark.parametrize(
    ("texts", "question"),
    [
        (["1.234", "5.678", "12", "13"], "1.234 may be thousands or decimals"),
        (["1,234", "5,678", "12", "13"], "1.234 may be thousands or decimals"),
        (["1.5", "2,5", "3.5", "4,5"], "2 values with a decimal comma, 2 with a point"),
        (["12%", "0.5", "13%", "0.7"], "values have different units"),
        (["$5", "€5", "$6", "€7"], "values have different units"),
    ],
)
def test_what_fits_two_readings_is_asked(texts, question):
    assert columns(x=texts)["x"].question.startswith(question)


def test_the_file_s_other_columns_and_the_task_file_answer():
    assert columns(x=["1.234", "5.678"], y=["10,5", "3,25"])["x"].values.tolist() == [1234, 5678]
    assert columns(x=["1.234", "5.678"], y=["10.5", "3.25"])["x"].values.tolist() == [1.234, 5.678]
    assert columns(Reading(decimal=","), x=["1.234", "5.678"])["x"].values.tolist() == [1234, 5678]


@pytest.mark.parametrize("texts", [["007", "012", "100"], ["62284800000000000001", "62284800000000000002", "3"]])
def test_digits_that_a_number_would_change_are_codes(texts):
    read = columns(x=texts)["x"]
    assert (read.kind, read.distinct) == ("category", 3)


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["2024-01-31", "2023-02-01"], ["2024-01-31", "2023-02-01"]),
        (["2024/1/31", "2023/2/1"], ["2024-01-31", "2023-02-01"]),
        (["31.01.2024", "01.02.2023"], ["2024-01-31", "2023-02-01"]),
        (["01/31/2024", "02/01/2023"], ["2024-01-31", "2023-02-01"]),
        (["20240131", "20230201"], ["2024-01-31", "2023-02-01"]),
        (["31 Jan 2024", "1-Feb-2023"], ["2024-01-31", "2023-02-01"]),
        (["Jan 31, 2024", "February 1, 2023"], ["2024-01-31", "2023-02-01"]),
        (["2024年1月31日", "2023年2月1日"], ["2024-01-31", "2023-02-01"]),
        (["2024-01-31T23:30:00", "2023-02-01 00:00:00.000"], ["2024-01-31", "2023-02-01"]),
        (["2024-01-31T00:00:00+08:00", "2023-02-01 00:00:00+0800"], ["2024-01-31", "2023-02-01"]),
        (["2024-01-30T16:00:00Z", "2023-01-31T20:00:00Z"], ["2024-01-31", "2023-02-01"]),
        (["2024-01-31T00:00:00+14:00", "2023-02-01T02:00:00+09:00"], ["2024-01-30", "2023-02-01"]),
    ],
)
def test_dates_in_other_writings_are_days_of_the_bank(texts, days):
    read = columns(offset="+08:00", x=texts)["x"]
    assert (read.kind, read.question, read.useless) == ("days", "", "")
    assert read.values.astype(str).tolist() == days


@pytest.mark.parametrize(
    "texts", [["03/04/2024", "05/06/2024"], ["01.02.2024", "02.03.2024"], ["01-02-2024", "03-04-2024"]]
)
def test_day_or_month_first_is_asked_and_answered_by_the_task_file(texts):
    assert columns(x=texts)["x"].question.startswith("day or month may come first: say `reading: {date_order: dmy}`")
    first = [columns(Reading(date_order=order), x=texts)["x"].values[0].astype(str) for order in ("dmy", "mdy")]
    assert first[0][5:7] == first[1][8:] and first[0] != first[1]
    task = Task.model_validate({"task": "t", "table": "t.csv", "label": "y", "positive": 1, "as_of_date": "x"})
    with pytest.raises(Stop, match="as_of_date: x: day or month may come first"):
        as_of_dates(task, columns(x=texts).delivered)


def test_two_orders_in_one_column_are_asked_and_years_of_two_digits_are_no_dates():
    assert "the day comes first in some" in columns(x=["31/01/2024", "01/31/2024"] * 5)["x"].question
    for text in ("31/01/24", "Jan-85", "1-Feb-99"):
        assert "years have two digits" in columns(x=[text] * 5)["x"].useless


def test_moments_of_a_typed_table_are_those_of_the_bank(tmp_path, settings):
    import pyarrow.parquet as pq

    from ml_jobs.own_tables.delivered import read_rows

    moments = pa.array([pd.Timestamp("2024-01-30 20:00", tz="UTC")], pa.timestamp("us", tz="UTC"))
    keys = pa.array([9_007_199_254_740_993], pa.int64())
    table = pa.table({"at": moments, "key": keys, "sparse": pa.array([None], pa.int64())})
    pq.write_table(pa.concat_tables([table, table.slice(0, 0)]), tmp_path / "t.parquet")
    frame = read_rows(settings, "t", tmp_path / "t.parquet").frame
    assert str(frame["at"][0]) == "2024-01-31 04:00:00"  # the simulated bank's clock is eight hours ahead
    assert str(frame["key"][0]) == "9007199254740993"


def test_a_date_that_stands_for_never_is_a_date():
    texts = Texts.of(pa.array(["9999-12-31T23:00:00Z", "2024-01-01", None]))
    assert read_dates(texts, "+08:00").readable("dmy") == 2
