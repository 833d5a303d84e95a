"""The division of month-ends by time: no outcome window of a part reaches into the next part's."""

from datetime import date, timedelta

import pytest

from lakehouse.lake.dates import training_date
from ml_jobs.errors import CannotScore
from ml_jobs.scores.months import LabelledMonth, split
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import HORIZON, month_ends

CHURN = load_tasks()["churn"]


def labelled(count: int, rows: int = 1_000, positives: int = 50) -> list[LabelledMonth]:
    return [LabelledMonth(day, day + HORIZON, rows, positives) for day in month_ends(count)]


@pytest.mark.parametrize(
    ("business_date", "expected"),
    [
        (date(2025, 12, 31), date(2025, 12, 31)),
        (date(2026, 1, 1), date(2025, 12, 31)),
        (date(2024, 3, 15), date(2024, 2, 29)),
        (date(2024, 2, 28), date(2024, 1, 31)),
    ],
)
def test_the_training_date_is_the_last_month_end_by_the_business_date(business_date, expected):
    assert training_date(business_date) == expected


@pytest.mark.parametrize("count", range(11, 25))
def test_outcome_windows_of_the_parts_do_not_overlap(count):
    months = labelled(count)
    parts = split(months, CHURN)
    assert parts.test == tuple(months[-len(parts.test) :])
    assert len(parts.test) == (2 if count < 15 else 3)
    first = parts.test[0].as_of_date
    assert max(month.ripe_date for month in parts.development) <= first
    assert max(month.ripe_date for month in parts.fit) <= min(month.as_of_date for month in parts.validation)
    assert {*parts.fit, *parts.validation} <= {*parts.development}
    unused = [month for month in months if month not in (*parts.development, *parts.test)]
    assert all(month.as_of_date > first - timedelta(days=95) for month in unused)


@pytest.mark.faults("labels", store="lake")
def test_a_short_history_is_refused_with_the_reason():
    for count in (0, 1, 5, 8):
        with pytest.raises(CannotScore, match=rf"{count} month-ends have labels .* at least 3 are needed"):
            split(labelled(count), CHURN)


@pytest.mark.faults("labels", store="lake")
def test_too_few_outcomes_are_refused_part_by_part():
    rare = labelled(16, positives=5)
    with pytest.raises(CannotScore, match=r"fit months .* have \d+ customers with the outcome"):
        split(rare, CHURN)
    common = labelled(16)
    with pytest.raises(CannotScore, match=r"test months 2025-07-31 to 2025-09-30 have 3 customers"):
        split([*common[:-3], *labelled(16, positives=1)[-3:]], CHURN)
    with pytest.raises(CannotScore, match="0 without"):
        split(labelled(16, rows=50, positives=50), CHURN)
