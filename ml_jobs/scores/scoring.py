"""Scoring one task at one business date: a Parquet file in the lake, or an abstention that says why."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from lakehouse import lake, warehouse
from lakehouse.contracts import load_deployment
from lakehouse.lake.model_files import Known, abstention_path, in_force, promotion_path, score_path
from lakehouse.lake.running import part
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.inventory import require_entry
from ml_jobs.learning.rows import Rows
from ml_jobs.scores.data import feature_columns, read_features
from ml_jobs.task_file import Activity, Task, load_tasks


@dataclass(frozen=True)
class Scored:
    """The scores of one task and date are in the lake."""

    path: Path

    def __str__(self) -> str:
        return f"scored: {self.path.stem}"


@dataclass(frozen=True)
class Abstained:
    """The data do not support the score."""

    reason: str

    def __str__(self) -> str:
        return f"abstained: {self.reason}"


def score(settings: Settings, task: str, known: Known) -> Scored | Abstained:
    """Score every customer of the business date; scores that are already in the lake are kept.

    Parameters
    ----------
    task : str
        The name of a file under ``ml_jobs/tasks``.

    Raises
    ------
    KeyError
        If there is no such task.
    """
    described = load_tasks()[task]
    known = in_force(settings, task, known)
    try:
        if reason := load_deployment(settings.deployment).unsupported_scores.get(task):
            raise CannotScore(reason)
        require_entry(task)
        path = score_path(settings, task, known)
        if not path.exists():
            _write_scores(settings, described, known, path)
        return Scored(path)
    except CannotScore as abstention:
        _keep_abstention(settings, task, known, str(abstention))
        return Abstained(str(abstention))


def score_all(settings: Settings, known: Known) -> dict[str, Scored | Abstained]:
    """Score the date with every task, by name; where most need a model first, one process per core trains them."""
    tasks = list(load_tasks())
    ready = [task for task in tasks if promotion_path(settings, task, in_force(settings, task, known)).exists()]
    waiting = [task for task in tasks if task not in ready]
    # processes take seconds to start: too long for the scores alone, and for the few tasks that abstain on every date
    jobs = min(len(waiting), os.cpu_count() or 1) if 2 * len(waiting) > len(tasks) else 1
    outcomes: dict[str, Scored | Abstained] = {}

    def score_next(task: str) -> None:
        part(task, len(outcomes) + 1, len(tasks))
        outcomes[task] = score(settings, task, known)

    if jobs == 1:
        with warehouse.reading(settings):  # to open the engine takes as long as to score a small bank
            for task in ready:
                score_next(task)
        for task in waiting:  # whoever trains holds up nobody who writes
            score_next(task)
    else:
        part("models are trained", 0, len(tasks))
        made = Parallel(n_jobs=jobs, return_as="generator")(delayed(score)(settings, task, known) for task in tasks)
        try:
            for task, outcome in zip(tasks, made, strict=True):
                outcomes[task] = outcome
                part("models are trained", len(outcomes), len(tasks))
        finally:  # idle, they would keep their memory for five minutes, and as long hold up whoever waits for this one
            get_reusable_executor().shutdown()
    return {task: outcomes[task] for task in tasks}


def is_scored(settings: Settings, known: Known) -> bool:
    """Whether every task has scores of the business date, or an abstention, as of what was known by then."""
    return all(
        score_path(settings, task, in_force(settings, task, known)).exists()
        or abstention_path(settings, task, known).exists()
        for task in load_tasks()
    )


def _write_scores(settings: Settings, task: Task, known: Known, path: Path) -> None:
    # scikit-learn takes seconds to import; the command line and the DAG files must start fast.
    from ml_jobs.registry.fairness_limits import fairness_limits
    from ml_jobs.scores.monitoring import write_monitoring, write_refusal
    from ml_jobs.scores.prediction import score_table
    from ml_jobs.scores.promotion import champion
    from ml_jobs.scores.reasons import saying_columns

    fairness_limits(task)  # a score without them is not computed
    with warehouse.reading(settings):
        columns = feature_columns(settings, task)
        rows = read_features(settings, task, columns, known.business_date)
    if task.activity is not None:
        _check_activity(task.activity, rows, known.business_date)
    try:
        model = champion(settings, task, known)
    except CannotScore:
        write_refusal(settings, task, known)
        raise
    with warehouse.reading(settings):  # to open the engine takes longer than what follows
        if model.columns != columns:
            rows = read_features(settings, task, model.columns, known.business_date)
        margin = model.margin(rows.values)
        codes = saying_columns(model.columns)
        saying = read_features(settings, task, codes, known.business_date) if codes else None
        # The monitoring is written before the scores, so no scores exist without it, even after a crash in between.
        write_monitoring(settings, task, known, model, rows, margin)
    with lake.appearing(path) as temporary:
        pq.write_table(score_table(task, model, rows, margin, saying), temporary, compression="zstd")


def _check_activity(activity: Activity, rows: Rows, business_date: date) -> None:
    open_rows = rows.column(activity.open) > 0
    active = (rows.column(activity.recent) > 0) & open_rows
    if active.sum() < activity.minimum_share * open_rows.sum():
        raise CannotScore(
            f"only {active.sum()} of {open_rows.sum()} customers with an open account have a transaction in the 90 "
            f"days before {business_date}: the extract has ended, or its last deliveries are missing"
        )


def _keep_abstention(settings: Settings, task: str, known: Known, reason: str) -> None:
    path = abstention_path(settings, task, known)
    if not path.exists():
        lake.write_json(path, {"task": task, "as_of_date": known.business_date, "reason": reason})
