"""How a task divides the labelled month-ends by time.

For the labelled month-ends, oldest first::

    fit ......... | gap | validation .... | gap | test
    <----------- development ----------->    (the last)

*Test* are the last labelled month-ends (three, fewer while the history is short). *Development* are the month-ends
whose labels were ripe at the first of them: what a bank could have trained on that day. *Validation* are the last
quarter of these, and *fit* those whose labels were ripe when the validation months began. So the outcome windows of
the parts do not overlap.
"""

from dataclasses import dataclass
from datetime import date

from ml_jobs.errors import CannotScore
from ml_jobs.task_file import Task

VALIDATION_SHARE = 4  # every fourth development month validates


@dataclass(frozen=True)
class LabelledMonth:
    """The labels of one month-end."""

    as_of_date: date
    ripe_date: date
    rows: int
    positives: int


@dataclass(frozen=True)
class Split:
    """Month-ends by their role."""

    fit: tuple[LabelledMonth, ...]
    validation: tuple[LabelledMonth, ...]
    test: tuple[LabelledMonth, ...]
    development: tuple[LabelledMonth, ...]


def split(months: list[LabelledMonth], task: Task) -> Split:
    """Divide the labelled month-ends, given oldest first, by time.

    Raises
    ------
    CannotScore
        If a part would be too small.
    """
    least = task.minimum
    most = max(1, min(task.split.test_months, len(months) // 5))
    splits = [_split(months, count) for count in range(most, 0, -1)]
    long_enough = [parts for parts in splits if len(parts.fit) >= least.fit_months]
    if not long_enough:
        raise CannotScore(
            f"{len(months)} month-ends have labels that are ripe, which leaves {len(splits[-1].fit)} to fit, "
            f"{task.horizon_days} days apart from those that validate and test; at least {least.fit_months} are needed"
        )
    parts = long_enough[0]
    for part, part_months, needed in (
        ("fit", parts.fit, least.positives),
        ("validation", parts.validation, least.test_positives),
        ("test", parts.test, least.test_positives),
    ):
        positives = sum(month.positives for month in part_months)
        negatives = sum(month.rows for month in part_months) - positives
        if min(positives, negatives) < needed:
            raise CannotScore(
                f"the {part} months {part_months[0].as_of_date} to {part_months[-1].as_of_date} have {positives} "
                f"customers with the outcome and {negatives} without; at least {needed} of each are needed"
            )
    return parts


def _split(months: list[LabelledMonth], test_months: int) -> Split:
    test = tuple(months[-test_months:])
    development = tuple(month for month in months if month.ripe_date <= test[0].as_of_date) if test else ()
    validation = development[-max(1, len(development) // VALIDATION_SHARE) :]
    fit = tuple(month for month in development if month.ripe_date <= validation[0].as_of_date)
    return Split(fit, validation, test, development)
