"""How a task divides the labelled month-ends by time.

For the labelled month-ends, oldest first::

    fit ......... | gap | calibration ... | gap | test
    <----------- development ----------->    (the last)

*Test* are the last labelled month-ends (three, fewer while the history is short). *Development* are the month-ends
whose labels were ripe at the first of them: what a bank could have trained on that day. *Calibration* are the last
quarter of these, and *fit* those whose labels were ripe when the calibration months began. So no outcome window of a
part reaches into the next part's.
"""

from dataclasses import dataclass
from datetime import date

from ml_jobs.errors import CannotScore
from ml_jobs.task_file import Task

CALIBRATION_SHARE = 4  # every fourth development month calibrates


@dataclass(frozen=True)
class LabelledMonth:
    """The labels of one month-end."""

    as_of_date: date
    ripe_date: date
    rows: int
    positives: int


@dataclass(frozen=True)
class Split:
    """Month-ends by the part that they play."""

    fit: tuple[LabelledMonth, ...]
    calibration: tuple[LabelledMonth, ...]
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
    fit: tuple[LabelledMonth, ...] = ()
    for count in range(max(1, min(task.split.test_months, len(months) // 5)), 0, -1):
        test = tuple(months[-count:])
        development = tuple(month for month in months if month.ripe_date <= test[0].as_of_date) if test else ()
        calibration = development[-max(1, len(development) // CALIBRATION_SHARE) :]
        fit = tuple(month for month in development if month.ripe_date <= calibration[0].as_of_date)
        if len(fit) >= least.fit_months:
            break
    if len(fit) < least.fit_months:
        raise CannotScore(
            f"{len(months)} month-ends have labels that are ripe, which leaves {len(fit)} to fit, "
            f"{task.horizon_days} days apart from those that calibrate and test; at least {least.fit_months} are needed"
        )
    for part, part_months, needed in (
        ("fit", fit, least.positives),
        ("calibration", calibration, least.test_positives),
        ("test", test, least.test_positives),
    ):
        positives = sum(month.positives for month in part_months)
        negatives = sum(month.rows for month in part_months) - positives
        if min(positives, negatives) < needed:
            raise CannotScore(
                f"the {part} months {part_months[0].as_of_date} to {part_months[-1].as_of_date} have {positives} "
                f"customers with the outcome and {negatives} without; at least {needed} of each are needed"
            )
    return Split(fit, calibration, test, development)
