"""Estimators of scikit-learn with their defaults against our training of a task, on the same rows and split by time.

Ours looks for leaks, searches hyperparameters by later months, calibrates, compares groups, draws the intervals of a
card and signs what it keeps; the rivals fit once. The rivals read the table from Parquet files, which somebody else has
written; ours joins features and labels in the build engine.
"""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rivals.comparison import Comparison, Goal, Side
from benchmarks.rivals.scripts import default_sklearn
from benchmarks.stages import run_stage
from lakehouse.lake.model_files import Known, model_folder
from lakehouse.settings import Settings
from ml_jobs.learning.metrics import SHARE, auc, bootstrap_weights, figure
from ml_jobs.learning.rows import Rows
from ml_jobs.registry.card import Card
from ml_jobs.registry.model import load
from ml_jobs.scores.data import feature_columns, read_labelled
from ml_jobs.scores.training import train
from ml_jobs.task_file import Task

GOAL = Goal(1, "equal", "AUC")


def compare(settings: Settings, task: Task, trained_on: date, folder: Path) -> Iterator[Comparison]:
    """Train the task, then each rival on the rows of that training; AUC of both on its test rows.

    Parameters
    ----------
    task : Task
        A classifier of the bank.
    trained_on : date
        A month-end; the lake has no model of it yet.
    folder : Path
        For tables and predictions.

    Raises
    ------
    CannotScore
        If the bank has too few months or outcomes for the task.
    """
    ours, _ = run_stage(f"our training of {task.task}", train_ours, settings, task, trained_on)
    kept = model_folder(settings, task.task, Known.by(settings, trained_on, trained_on))
    card = load(kept, settings.token_secret).card
    development, test = (rows_of(settings, task, card, trained_on, part) for part in ("development", "test"))
    paths = [folder / "development.parquet", folder / "test.parquet"]
    for rows, path in zip((development, test), paths, strict=True):
        pq.write_table(as_table(rows), path)
    weights = bootstrap_weights(test.customer)
    evaluated = pq.read_table(kept / "evaluation.parquet")
    our_areas = auc(test.label, evaluated["model"].to_numpy(), weights)
    unequal = _differing_rows(test, evaluated)
    for name in default_sklearn.NAMES:
        predicted = folder / f"{name}.npy"
        stage, parts = run_stage(f"default {name}", default_sklearn.fit_and_predict, name, *paths, predicted)
        areas = auc(test.label, np.load(predicted), weights)
        yield Comparison(
            f"{task.task}: {len(development.label):,} rows to learn from, {len(test.label):,} to judge",
            f"scikit-learn's {name}, defaults",
            Side(stage.seconds, parts, figure(areas, *SHARE)),
            Side(ours.seconds, quality=figure(our_areas, *SHARE)),
            GOAL,
            figure(our_areas - areas, -1, 1),
            unequal,
        )


def train_ours(settings: Settings, task: Task, trained_on: date) -> None:
    """Our training, which leaves the model in the lake."""
    train(settings, task, trained_on)


def rows_of(settings: Settings, task: Task, card: Card, trained_on: date, part: str) -> Rows:
    """The development or test rows of the training that the card describes."""
    dates = tuple(map(date.fromisoformat, card["months"][part]["as_of_dates"]))
    share = card["customers_sampled"] if part == "development" else 1.0
    return read_labelled(settings, task, feature_columns(settings, task), dates, known_by=trained_on, share=share)


def as_table(rows: Rows) -> pa.Table:
    """Features and label as columns."""
    columns = {name: rows.values[:, place] for place, name in enumerate(rows.columns)}
    return pa.table(columns | {default_sklearn.LABEL: rows.label})


def _differing_rows(test: Rows, evaluated: pa.Table) -> tuple[str, ...]:
    """Whether the rows on which ours was judged are the test rows, in their order."""
    judged = (evaluated[name].to_numpy() for name in ("customer_key", "as_of_date", "label"))
    pairs = zip((test.customer, test.as_of_date, test.label), judged, strict=True)
    return () if all(np.array_equal(mine, other) for mine, other in pairs) else ("test rows",)
