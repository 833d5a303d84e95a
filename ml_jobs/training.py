"""Monthly training: one model per task and month-end, evaluated on a month that no choice has seen (see `months`).

A first fit on the early months chooses the number of trees and gives the calibration, on later months. Then the trees
are grown once more, to that number, on all development months. That model is evaluated on the test month, kept, and
scores; it is not fitted again.
"""

from dataclasses import asdict
from datetime import date
from importlib.metadata import version
from itertools import islice

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from c360.settings import Settings
from ml_jobs.data import Rows, feature_columns, labelled_months, read_labelled
from ml_jobs.metrics import bootstrap_weights, figures
from ml_jobs.model import Model, feature_version, load, save
from ml_jobs.months import CannotScore, LabelledMonth, split
from ml_jobs.paths import Known, model_folder
from ml_jobs.tasks import Task

SEED = 20240229
THREADS = 2  # the most, fixed, so that sums are taken in the same order on every machine
VALUES_PER_THREAD = 20_000_000  # for less, threads wait for each other longer than they work


def train(settings: Settings, task: Task, trained_on: date) -> Model:
    """The task's model of a month-end: from the lake if it is there, otherwise trained and put there.

    Parameters
    ----------
    trained_on : date
        A month-end; only labels that were ripe by then are used.

    Raises
    ------
    CannotScore
        If there are too few months or outcomes.
    """
    folder = model_folder(settings, task.task, Known.by(settings, trained_on))
    if not folder.exists():
        save(*_trained(settings, task, trained_on, folder.name), folder)
    return load(folder)


def _trained(settings: Settings, task: Task, trained_on: date, model_version: str) -> tuple[Model, pa.Table]:
    parts = split(labelled_months(settings, task, trained_on), task)
    columns = feature_columns(settings, task)
    share = min(1.0, task.training_rows / sum(month.rows for month in parts.development))
    dates = tuple(month.as_of_date for month in parts.development)
    development = read_labelled(settings, task, columns, dates, known_by=trained_on, share=share)
    fit, calibration = (
        development.between(months[0].as_of_date, months[-1].as_of_date) for months in (parts.fit, parts.calibration)
    )
    test = read_labelled(settings, task, columns, (parts.test.as_of_date,), known_by=trained_on)
    with threadpool_limits(min(THREADS, 1 + development.values.size // VALUES_PER_THREAD)):
        trial = _trees(task).fit(fit.values, fit.label, X_val=calibration.values, y_val=calibration.label)
        iterations = max(1, int(np.argmax(trial.validation_score_)))
        margin = next(islice(trial.staged_decision_function(calibration.values), iterations - 1, None)).ravel()
        calibrator = _calibrator(task, margin, calibration.label)
        trees = _trees(task, iterations).fit(development.values, development.label)
        evaluation = _evaluation(task, Model(trees, calibrator, card={}), development, test)
    card = {
        "task": task.model_dump(),
        "model_name": task.model_name,
        "model_version": model_version,
        "feature_version": feature_version(columns),
        "features": columns,
        "iterations": iterations,
        "calibration": type(calibrator).__name__,
        "months": {
            "fit": _described(parts.fit),
            "calibration": _described(parts.calibration),
            "development": _described(parts.development),
            "test": _described((parts.test,)),
        },
        "customers_sampled": round(share, 6),  # of the development months; all of the test month
        "evaluated": "on the test month, which no choice has seen; the model evaluated is the model that scores",
        "figures": _figures(evaluation),
        "libraries": {name: version(name) for name in ("scikit-learn", "numpy", "skops")},
    }
    return Model(trees, calibrator, card), evaluation


def _trees(task: Task, iterations: int | None = None) -> HistGradientBoostingClassifier:
    """Unfitted trees: of a given number, or as many as still help on validation rows."""
    chosen = {} if iterations is None else {"max_iter": iterations}
    return HistGradientBoostingClassifier(
        **task.parameters.model_dump() | chosen,
        early_stopping=iterations is None,
        n_iter_no_change=30,
        categorical_features=None,  # `explain` reads every split as a threshold
        random_state=SEED,
    )


def _calibrator(task: Task, margin: np.ndarray, label: np.ndarray) -> IsotonicRegression | LogisticRegression:
    if label.sum() < task.calibration.isotonic_from_positives:
        sigmoid = LogisticRegression(C=np.inf).fit(margin.reshape(-1, 1), label)
        if sigmoid.coef_[0, 0] <= 0:
            raise CannotScore("in the calibration months the outcome is not more frequent where the model expects it")
        return sigmoid
    # No outcome is ruled out or certain: the ends are what one more customer could have shown.
    least = 1 / (len(label) + 1)
    return IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(margin, label)


def _evaluation(task: Task, model: Model, development: Rows, test: Rows) -> pa.Table:
    """The rows of the test month with their outcome, the model's margin and probability, and simpler scores."""
    margin = model.margin(test.values)
    impute = SimpleImputer(strategy="median", keep_empty_features=True)
    regression = make_pipeline(impute, StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
    regression.fit(_compressed(development.values), development.label)
    rule = task.baseline.sign * test.column(task.baseline.feature).astype(np.float64)
    return pa.table(
        {
            "customer_key": test.customer,
            "as_of_date": test.as_of_date,
            "label": test.label,
            "model": margin,
            "model_probability": model.probability(margin),
            "logistic_regression": regression.predict_proba(_compressed(test.values))[:, 1],
            "rule": np.where(np.isnan(rule), -np.inf, rule),  # customers without the figure come last
            "base_rate": np.full(len(test.label), development.label.mean()),
        }
    )


def _figures(evaluation: pa.Table) -> dict[str, dict]:
    """The model's figures on the test month, beside those of the simpler scores."""
    column = {name: evaluation[name].to_numpy() for name in evaluation.column_names}
    weights = bootstrap_weights(column["customer_key"])
    probability = {
        "model": column["model_probability"],
        "logistic_regression": column["logistic_regression"],
        "rule": None,
        "base_rate": column["base_rate"],
    }
    return {
        name: {
            key: asdict(figure)
            for key, figure in figures(column["label"], column[name], stated, weights).items()
            if np.isfinite(figure.value)  # a constant score has no calibration slope
        }
        for name, stated in probability.items()
    }


def _compressed(values: np.ndarray) -> np.ndarray:
    """Signed logarithms: amounts span six orders of magnitude, which a linear model cannot bear."""
    return np.sign(values) * np.log1p(np.abs(values))


def _described(months: tuple[LabelledMonth, ...]) -> dict[str, object]:
    return {
        "as_of_dates": [str(month.as_of_date) for month in months],
        "rows": sum(month.rows for month in months),
        "positives": sum(month.positives for month in months),
    }
