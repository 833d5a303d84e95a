"""Monthly training: one model per task and month-end, evaluated on months that no choice has seen (see `months`).

A first fit on the early months makes the choices and gives the calibration, on later months (see `learning`). Then the
model is fitted once more on all development months. That model is evaluated on the test months, kept, and scores; it is
not fitted again.
"""

from dataclasses import asdict
from datetime import date
from importlib.metadata import version

import numpy as np
import pandas as pd
import pyarrow as pa

from lakehouse.lake.model_files import Known, model_folder
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.learning.classifier import learn
from ml_jobs.learning.drift import reference
from ml_jobs.learning.evaluation import Judged, all_figures, banded, by_group, by_month, curve, judge, uncalibrated
from ml_jobs.learning.fairness import gaps
from ml_jobs.learning.leaks import single_aucs, suspicions
from ml_jobs.learning.metrics import bootstrap_weights, interval
from ml_jobs.learning.rows import Rows
from ml_jobs.learning.shapley import importance
from ml_jobs.learning.survival import MONTHS, QUARTER, Followed, followed, learn_staying, staying_figures
from ml_jobs.learning.uplift import average_effect, learn_uplift, qini, qini_curve
from ml_jobs.registry.model import Model, feature_version, load, save
from ml_jobs.scores.data import feature_columns, labelled_months, read_labelled, read_month_ends, read_profiles
from ml_jobs.scores.months import LabelledMonth, Split, split
from ml_jobs.task_file import Task

LEAST_MONTH_ENDS, FOLLOWED_ROWS = 9, 200_000  # of a task that follows customers; the most rows


def train(settings: Settings, task: Task, trained_on: date) -> Model:
    """The task's model of a month-end: from the lake if it is there, otherwise trained and put there.

    Parameters
    ----------
    trained_on : date
        A month-end, or the date of a retraining; only labels that were ripe by then are used.

    Raises
    ------
    CannotScore
        If there are too few months or outcomes, or a feature gives the outcome away.
    """
    folder = model_folder(settings, task.task, Known.by(settings, trained_on, trained_on))
    if not folder.exists():
        trained = _staying_trained if task.horizons else _trained
        save(*trained(settings, task, trained_on, folder.name), folder, settings.token_secret)
    return load(folder, settings.token_secret)


def _trained(settings: Settings, task: Task, trained_on: date, model_version: str) -> tuple[Model, pa.Table]:
    parts = split(labelled_months(settings, task, trained_on), task)
    columns = feature_columns(settings, task)
    share = min(1.0, task.training_rows / sum(month.rows for month in parts.development))
    dates = tuple(month.as_of_date for month in parts.development)
    development = read_labelled(settings, task, columns, dates, known_by=trained_on, share=share)
    aucs = single_aucs(development.values, development.label, columns)
    if leaks := suspicions(aucs, task.known_in_time)[0]:
        raise CannotScore(f"{'; '.join(map(str, leaks))}: correct the features model, or exclude it in the task file")
    tested = tuple(month.as_of_date for month in parts.test)
    test = read_labelled(settings, task, columns, tested, known_by=trained_on)
    card = {
        "task": task.model_dump(mode="json"),
        "task_name": task.task,
        "data": f"{task.table} with {task.labels}",
        "model_version": model_version,
        "feature_version": feature_version(columns),
        "features": columns,
        "split": _told(parts),
        "months": {
            "fit": _described(parts.fit),
            "calibration": _described(parts.calibration),
            "development": _described(parts.development),
            "test": _described(parts.test),
        },
        "customers_sampled": round(share, 6),  # of the development months; all of the test months
        "rows": len(test.label),
        "positives": int(test.label.sum()),
        "base_rate": float(test.label.mean()),
        "single_feature_roc_auc": {name: round(auc, 4) for name, auc in aucs.items()},
        "limits": _limits(task, parts),
        "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "skops")},
    }
    if task.treatment:
        return _uplift_trained(task, development, test, card)
    learned = learn(task, development.values, development.label, development.customer, (_part(development, parts),))
    if learned.chosen.says_nothing:
        raise CannotScore("in the calibration months the outcome is not more frequent where the model expects it")
    ranking, probability, rule = judge(task, learned, columns, (development.values, development.label), test.values)
    judged = Judged(
        test.customer,
        test.customer,
        test.as_of_date,
        test.label,
        {name: scores[None] for name, scores in ranking.items()},
        {name: scores[None] for name, scores in probability.items()},
    )
    card |= {
        "model": learned.choice,
        "model_name": f"{task.task}-{learned.choice}",
        "chosen": learned.chosen.chosen,
        "why": learned.why,
        "calibration": type(learned.chosen.calibrator).__name__,
        "rule": rule,
        "leaks": [],
        "suspects": [],
        "capacity": task.capacity,
    }
    card |= _worth(settings, task, judged, test)
    card |= {"importance": importance(task, learned, test.values, columns, columns)}
    card |= {"reference": reference(development.values, columns, ranking["model"])}
    return Model(learned.chosen, card), judged.to_table()


def _uplift_trained(task: Task, development: Rows, test: Rows, card: dict[str, object]) -> tuple[Model, pa.Table]:
    learned = learn_uplift(task, development.values, development.label, development.treated, development.customer)
    model = Model(learned.untreated, card, learned.treated)
    risk = learned.untreated.margin(test.values)
    uplift = model.margin(test.values)
    weights = bootstrap_weights(test.customer)
    card |= {
        "model": learned.choice,
        "model_name": f"{task.task}-{learned.choice}",
        "chosen": learned.untreated.chosen,
        "why": learned.why,
        "treated": int(test.treated.sum()),
        "average_effect": asdict(interval(average_effect(test.label, test.treated, weights))),
        "figures": {
            name: {"qini": asdict(interval(qini(test.label, test.treated, ranking, weights)))}
            for name, ranking in (("model", uplift), ("risk", risk))
        },
        "qini_curve": qini_curve(test.label, test.treated, uplift),
        "reference": reference(development.values, tuple(card["features"]), model.margin(development.values)),
    }
    evaluation = {"customer_key": test.customer, "as_of_date": test.as_of_date, "label": test.label}
    return model, pa.table(evaluation | {"treated": test.treated, "model": uplift, "risk": risk})


def _staying_trained(settings: Settings, task: Task, trained_on: date, model_version: str) -> tuple[Model, pa.Table]:
    columns = feature_columns(settings, task)
    rows = read_month_ends(settings, task, columns, trained_on, FOLLOWED_ROWS)
    month = rows.as_of_date.astype("datetime64[M]").astype(int)
    months = np.unique(month)
    if len(months) < LEAST_MONTH_ENDS:
        raise CannotScore(f"{len(months)} month-ends have features; at least {LEAST_MONTH_ENDS} are needed")
    judged_from = months[-1] - (MONTHS if len(months) >= 2 * MONTHS + QUARTER else len(months) // 3)
    present = pd.DataFrame({"customer": rows.customer, "month": month})

    def until(end: int, landmarks: np.ndarray) -> Followed:
        return followed(rows.customer[landmarks], month[landmarks], rows.values[landmarks], present, end)

    judge = learn_staying(task, until(judged_from, month < judged_from))
    own = month == judged_from
    found = staying_figures(judge, until(months[-1], own), task.horizons)
    learned = learn_staying(task, until(months[-1], month < months[-1]))
    first, last = (str(np.datetime64(int(at), "M")) for at in (judged_from, months[-1]))
    card = {
        "task": task.model_dump(mode="json"),
        "task_name": task.task,
        "data": f"who is in {task.table} at later month-ends",
        "model": "logistic_regression",
        "model_name": f"{task.task}-logistic_regression",
        "model_version": model_version,
        "feature_version": feature_version(columns),
        "features": columns,
        "chosen": learned.risk.chosen,
        "why": "a discrete-time hazard: too few leave to tell more than a line in the risk and the time",
        "split": f"By time: a model of what was known at the end of {first} is judged on the customers of that day, "
        f"followed to the end of {last}; the model that scores is fitted on all",
        "rows": found["rows"],
        "positives": found["left"],
        "base_rate": found["left"] / found["rows"],
        "figures": {"model": {"concordance": found["concordance"]}},
        "horizons": found["horizons"],
        "line": learned.line,
        "leaks": [],
        "suspects": [],
        "limits": [
            f"horizons beyond those above were not followed yet: from {first} on there is not enough history",
            "who leaves has no open account at a month-end; nothing is said of days within a month",
        ],
        "reference": reference(rows.values, columns, learned.risk.margin(rows.values)),
        "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "skops")},
    }
    margin = judge.risk.margin(rows.values[own])
    judged = {"customer_key": rows.customer[own], "as_of_date": rows.as_of_date[own], "model": margin}
    return Model(learned.risk, card), pa.table(judged)


def _worth(settings: Settings, task: Task, judged: Judged, test: Rows) -> dict[str, object]:
    """Everything on the card that comes from the rows that judged."""
    share = task.capacity[-1]
    named = {**task.segments, **task.fairness}
    profiled = tuple(name for name in named if name not in test.columns)
    column = {name: test.column(name) for name in named if name in test.columns}
    column |= read_profiles(settings, profiled, test) if profiled else {}
    group = {name: banded(column[name], edges) for name, edges in named.items()}
    ranking = judged.ranking["model"][0]
    return {
        "figures": all_figures(judged, task.capacity),
        "before_calibration": uncalibrated(judged, judged.ranking["model"]),
        "calibration_curve": curve(judged),
        "by_month": by_month(judged, share),
        "segments": {name: by_group(judged, group[name], share) for name in task.segments},
        "fairness": {name: by_group(judged, group[name], share) for name in task.fairness},
        "fairness_gaps": {name: gaps(judged.label, ranking, group[name], share) for name in task.fairness},
    }


def _part(development: Rows, parts: Split) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the rows that fit, and of those that calibrate."""
    fit, calibrate = (
        np.flatnonzero(np.isin(development.as_of_date, [np.datetime64(month.as_of_date) for month in months]))
        for months in (parts.fit, parts.calibration)
    )
    return fit, calibrate


def _told(parts: Split) -> str:
    first, last = parts.test[0].as_of_date, parts.test[-1].as_of_date
    return (
        f"By time: fitted on month-ends up to {parts.development[-1].as_of_date}, of outcomes known on {first}; "
        f"judged on {first} to {last}, which no choice has seen; the model judged is the model that scores"
    )


def _limits(task: Task, parts: Split) -> list[str]:
    learned = (
        f"learned from {parts.development[0].as_of_date} to {parts.development[-1].as_of_date}; what changed since "
        "then, in the market or in the data, it does not know (`c360 ml monitor` watches it)"
    )
    if task.treatment:
        return [learned, "holds for the treatment of those campaigns, and for customers whom they could have drawn"]
    return [
        learned,
        f"says what happens within {task.horizon_days} days, not when, nor what would happen if the bank acted",
        "groups of people are compared above; a difference is told, not corrected",
    ]


def _described(months: tuple[LabelledMonth, ...]) -> dict[str, object]:
    return {
        "as_of_dates": [str(month.as_of_date) for month in months],
        "rows": sum(month.rows for month in months),
        "positives": sum(month.positives for month in months),
    }
