"""How the rows of a user's table are divided: by time, or by repeated, stratified, grouped folds."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ml_jobs.errors import CannotScore
from ml_jobs.learning import SEED
from ml_jobs.learning.folds import FEW_ROWS, Fold, stratified_folds, validation_folds
from ml_jobs.own_tables.frames import Table
from ml_jobs.task_file import Task

REPEATS = ((1_000, 10), (5_000, 4), (30_000, 2))  # with fewer rows than the first, the folds are repeated that often
VALIDATION_SHARE = 4  # by time, the last quarter of the development rows validates
LEAST_OUTCOMES = 30  # positives, and negatives, in that quarter; with fewer, folds of all development rows validate
LEAST_TOLD = 5  # somebodies with a positive and several rows
TOLD_AGAIN = 0.95  # of them have the same outcome in all rows


@dataclass(frozen=True)
class Division:
    """Development rows, in folds to fit and to validate, and test rows; positions in the table."""

    repeat: int
    development: np.ndarray
    folds: tuple[Fold, ...]  # positions within development
    test: np.ndarray


def scheme(task: Task, table: Table) -> str:
    """``time`` or ``folds``."""
    if task.split.scheme == "automatic":
        return "folds" if _why_not_by_time(task, table) else "time"
    return task.split.scheme


def describe(task: Task, table: Table) -> str:
    """The division in words."""
    most = f"; at most {task.training_rows:,} rows train" if len(table.groups) > task.training_rows else ""
    if scheme(task, table) == "time":
        judge = f"rows from {_test_from(task, table)} on judge"
        return f"by time: {judge}, rows whose outcome was known by then train{most}"
    why = _why_not_by_time(task, table)
    why = f"{why}, so not by time: " if why else ""
    repeats = _repeats(task, len(table.groups))
    return (
        f"{why}{task.split.folds} stratified folds that keep groups together, repeated {repeats} "
        f"{'time' if repeats == 1 else 'times'}; figures are means over repeats{most}"
    )


def divisions(task: Task, table: Table) -> Iterator[Division]:
    """Every division of the table's rows.

    Raises
    ------
    CannotScore
        If a part would have too few positives or negatives.
    """
    label, groups = table.rows.label, table.groups
    if scheme(task, table) == "time":
        yield thinned(task, table, _by_time(task, table))
        return
    _require(task, label, "the table")
    for repeat in range(_repeats(task, len(label))):
        for development, test in stratified_folds(label, groups, task.split.folds, SEED + repeat):
            folds = validation_folds(label[development], groups[development])
            yield thinned(task, table, Division(repeat, development, folds, test))


def thinned(task: Task, table: Table, division: Division) -> Division:
    """The division with at most `training_rows` development rows, of groups drawn by lot; all test rows judge."""
    development = division.development
    if len(development) <= task.training_rows:
        return division
    groups = table.groups[development]
    lot = np.random.default_rng(SEED).random(groups.max() + 1)[groups]
    keep = lot < np.quantile(lot, task.training_rows / len(development))
    place = np.cumsum(keep) - 1
    folds = tuple((place[fit[keep[fit]]], place[held_out[keep[held_out]]]) for fit, held_out in division.folds)
    return replace(division, development=development[keep], folds=folds)


def _why_not_by_time(task: Task, table: Table) -> str:
    """Why later rows would not judge honestly; empty if they do.

    Where the outcome of somebody is the same in all of their rows, a model that remembers them by their features knows
    it in the later rows, too.
    """
    if not task.as_of_date:
        return "no as-of date"
    dates = table.rows.as_of_date
    if dates[0] == dates[-1]:
        return "all rows have one as-of date"
    rows, positives = np.bincount(table.groups), np.bincount(table.groups, weights=table.rows.label)
    often = (rows > 1) & (positives > 0)
    if often.sum() >= LEAST_TOLD and (positives[often] == rows[often]).mean() > TOLD_AGAIN:
        return f"each {task.entity or task.groups or 'group of rows'} has one outcome, told in several rows"
    return ""


def _by_time(task: Task, table: Table) -> Division:
    dates, label = table.rows.as_of_date, table.rows.label
    ripe = dates + np.timedelta64(task.horizon_days, "D")
    test_from = _test_from(task, table)
    test = np.flatnonzero(dates >= test_from)
    development = np.flatnonzero((dates < test_from) & (ripe <= test_from))
    _require(task, label[development], f"the rows before {test_from}")
    if not task.minimum.test_positives <= label[test].sum() <= len(test) - task.minimum.test_positives:
        raise CannotScore(f"the rows from {test_from} on have {label[test].sum()} positives in {len(test)}: too few")
    past = dates[development]
    validate_from = past[-max(1, len(past) // VALIDATION_SHARE)]
    fit, validate = np.flatnonzero(ripe[development] <= validate_from), np.flatnonzero(past >= validate_from)
    few = min(label[development][validate].sum(), (1 - label[development][validate]).sum())
    # With few rows, all of them are needed to fit: folds take turns to validate.
    if len(development) < FEW_ROWS or few < LEAST_OUTCOMES or not len(fit):
        return Division(0, development, validation_folds(label[development], table.groups[development]), test)
    return Division(0, development, ((fit, validate),), test)


def _test_from(task: Task, table: Table) -> np.datetime64:
    dates = table.rows.as_of_date
    if task.split.test_from:
        return np.datetime64(task.split.test_from)
    first = dates[int(len(dates) * (1 - task.split.test_share))]
    if first > dates[0]:
        return first
    return dates[min(np.searchsorted(dates, first, side="right"), len(dates) - 1)]  # most rows have the first date


def _repeats(task: Task, rows: int) -> int:
    return task.split.repeats or next((repeats for below, repeats in REPEATS if rows < below), 1)


def _require(task: Task, label: np.ndarray, rows: str) -> None:
    positives, negatives = int(label.sum()), int(len(label) - label.sum())
    if min(positives, negatives) < task.minimum.positives:
        raise CannotScore(
            f"{rows} have {positives} positives and {negatives} negatives; "
            f"at least {task.minimum.positives} of each are needed (minimum.positives)"
        )
