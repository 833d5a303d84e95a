"""Binary classifiers: boosted trees against logistic regression, each calibrated on rows that it was not fitted to.

A *fold* is a pair of row sets: a trial is fitted on the first, and evaluated and calibrated on the second. A division
by time gives one fold (later rows calibrate), cross-validation gives several. The trials choose the hyperparameters,
the number of trees and the strength of regularisation, and give the calibration; then each model is fitted once more,
with what was chosen, on all rows. The simpler model is selected unless the trees rank better, or state better
probabilities, beyond the interval on the calibration rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from ml_jobs.learning import SEED
from ml_jobs.learning.metrics import (
    auc,
    bootstrap_weights,
    interval,
    log_losses,
    log_losses_of_margin,
    weighted_means,
)
from ml_jobs.task_file import Task

# Slope of the calibration of a model without information: everybody gets the base rate, in the model's order.
FLAT = 1e-9
THREADS = 2  # the most, fixed, so that sums are taken in the same order on every machine
VALUES_PER_THREAD = 20_000_000  # with fewer, threads wait for each other longer than they work
CHUNK = 100_000  # rows scored at once: an estimator copies them in double precision
REGRESSION_ROWS = 60_000  # at most
STRENGTHS = (0.003, 0.03, 0.3)  # inverse strengths of regularisation that logistic regression tries
TREES, REGRESSION = "hist_gradient_boosting", "logistic_regression"

Estimator = HistGradientBoostingClassifier | Pipeline
Calibrator = IsotonicRegression | LogisticRegression
Fold = tuple[np.ndarray, np.ndarray]  # rows to fit, rows to calibrate
Parameters = dict[str, float]  # hyperparameters by the estimator's name for them


@dataclass(frozen=True)
class Candidate:
    """A fitted model, the map from its margin to a probability, and the hyperparameters chosen for it."""

    estimator: Estimator
    calibrator: Calibrator
    parameters: Parameters

    def margin(self, values: np.ndarray) -> np.ndarray:
        """Log odds before calibration, (n,), by which rows are ranked, from (n, features)."""
        with threadpool_limits(1):  # on a busy machine threads wait for each other longer than they work
            chunks = (values[start : start + CHUNK].astype(float) for start in range(0, len(values), CHUNK))
            return np.concatenate([np.empty(0), *map(self.estimator.decision_function, chunks)])

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability of each margin; it never falls as the margin rises."""
        if isinstance(self.calibrator, IsotonicRegression):
            return self.calibrator.predict(margin)
        return self.calibrator.predict_proba(margin.reshape(-1, 1))[:, 1]

    @property
    def is_uninformative(self) -> bool:
        """Whether the outcome was not more frequent on the calibration rows that the model ranks higher."""
        return isinstance(self.calibrator, LogisticRegression) and bool(self.calibrator.coef_[0, 0] <= FLAT)


@dataclass(frozen=True)
class Selection:
    """Both candidates, which of them is selected, and why."""

    candidates: dict[str, Candidate]
    choice: str
    why: str
    held_out_margins: dict[str, np.ndarray]  # of the calibration rows, fold by fold

    @property
    def selected(self) -> Candidate:
        """The candidate that scores."""
        return self.candidates[self.choice]


def select_model(
    task: Task, values: np.ndarray, label: np.ndarray, groups: np.ndarray, folds: Sequence[Fold]
) -> Selection:
    """Fit and calibrate both candidates, and select one.

    Parameters
    ----------
    values : (n, features) array in single precision, nan where missing
    label : (n,) array of 0 and 1
    groups : (n,) array
        Whom a row is about: the bootstrap draws rows by it.
    folds : sequence of (rows to fit, rows to calibrate)
    """
    held_out = np.concatenate([calibrate for _, calibrate in folds])
    with threadpool_limits(min(THREADS, 1 + values.size // VALUES_PER_THREAD)):
        trees, trees_margin = _fit_trees(task, values, label, folds)
        regression, regression_margin = fit_regression(task, values, label, folds)
    candidates = {TREES: trees, REGRESSION: regression}
    margins = {TREES: trees_margin, REGRESSION: regression_margin}
    if task.algorithm != "automatic":
        return Selection(candidates, task.algorithm, "the task file says so", margins)
    truth, weights = label[held_out], bootstrap_weights(groups[held_out])
    better = interval(auc(truth, trees_margin, weights) - auc(truth, regression_margin, weights))
    saved = log_losses(truth, regression.probability(regression_margin)) - log_losses(
        truth, trees.probability(trees_margin)
    )
    surer = interval(weighted_means(weights, saved))
    comparison = (
        f"ROC AUC {better.value:+.3f} ({better.low:+.3f} to {better.high:+.3f}), "
        f"log loss {-surer.value:+.4f} ({-surer.high:+.4f} to {-surer.low:+.4f}) on the calibration rows"
    )
    if max(better.low, surer.low) > 0 and min(better.high, surer.high) > 0:
        return Selection(candidates, TREES, f"boosted trees are better than logistic regression: {comparison}", margins)
    why = "boosted trees are not better than logistic regression beyond the interval, so the simpler is used"
    return Selection(candidates, REGRESSION, f"{why}: {comparison}", margins)


def _fit_trees(
    task: Task, values: np.ndarray, label: np.ndarray, folds: Sequence[Fold]
) -> tuple[Candidate, np.ndarray]:
    """Boosted trees, and their margins of the calibration rows, fold by fold."""
    trials: list[Parameters] = [{}, *(alternative.model_dump(exclude_none=True) for alternative in task.search)]
    searched = [
        (float(_loss_per_iteration(*_staged_margins(task, values, label, *folds[0], trial)).min()), trial)
        for trial in (trials if task.search else ())
    ]
    parameters = min(searched, key=lambda tried: tried[0])[1] if searched else {}
    staged = [_staged_margins(task, values, label, *fold, parameters) for fold in folds]
    iterations = min(len(margins) for margins, _ in staged)
    losses = np.sum([_loss_per_iteration(margins[:iterations], truth) for margins, truth in staged], axis=0)
    iterations = int(np.argmin(losses)) + 1
    margin = np.concatenate([margins[iterations - 1] for margins, _ in staged])
    calibrator = _fit_calibrator(task, margin, np.concatenate([truth for _, truth in staged]))
    trees = _trees(task, parameters | {"max_iter": iterations}, early_stopping=False)
    trees.fit(_fill_empty_features(values), label)
    return Candidate(trees, calibrator, {**parameters, "iterations": iterations}), margin


def _staged_margins(
    task: Task, values: np.ndarray, label: np.ndarray, fit: np.ndarray, calibrate: np.ndarray, parameters: Parameters
) -> tuple[np.ndarray, np.ndarray]:
    """(iterations, n) margins of the calibration rows after each tree, and their (n,) labels."""
    held_out, truth = values[calibrate], label[calibrate]
    trial = _trees(task, parameters, early_stopping=True)
    # pyrefly: ignore[unexpected-keyword]  # its stubs are of an older scikit-learn
    trial.fit(_fill_empty_features(values[fit]), label[fit], X_val=held_out, y_val=truth)
    return np.stack([margin.ravel() for margin in trial.staged_decision_function(held_out)]), truth


def _trees(task: Task, parameters: Parameters, early_stopping: bool) -> HistGradientBoostingClassifier:
    hyperparameters: dict[str, Any] = task.parameters.model_dump() | parameters
    return HistGradientBoostingClassifier(
        **hyperparameters,
        early_stopping=early_stopping,
        n_iter_no_change=30,
        categorical_features=None,  # `shapley` reads every split as a threshold
        random_state=SEED,
    )


def _fill_empty_features(values: np.ndarray) -> np.ndarray:
    """A feature that is missing in every row becomes a constant: estimators refuse what has no value at all."""
    empty = np.isnan(values).all(axis=0)
    return np.where(empty, np.float32(0), values) if empty.any() else values


def _loss_per_iteration(margins: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(iterations,) log loss, summed over the rows, after each tree."""
    return log_losses_of_margin(label, margins).sum(axis=1)


def fit_regression(
    task: Task, values: np.ndarray, label: np.ndarray, folds: Sequence[Fold]
) -> tuple[Candidate, np.ndarray]:
    """Logistic regression, and its margins of the calibration rows, fold by fold."""
    truth = np.concatenate([label[calibrate] for _, calibrate in folds])
    margins: dict[float, list[np.ndarray]] = {strength: [] for strength in STRENGTHS}
    for development, calibrate in folds:
        fit = _thin(development)
        preprocess = _preprocessing().fit(_fill_empty_features(values[fit]).astype(float))
        fitted, held_out = (preprocess.transform(values[rows].astype(float)) for rows in (fit, calibrate))
        for strength in STRENGTHS:
            margins[strength].append(_regression(strength).fit(fitted, label[fit]).decision_function(held_out))
    losses = {strength: log_losses_of_margin(truth, np.concatenate(margins[strength])).mean() for strength in STRENGTHS}
    strength = min(STRENGTHS, key=losses.__getitem__)
    margin = np.concatenate(margins[strength])
    pipeline = Pipeline([*_preprocessing().steps, ("regress", _regression(strength))])
    rows = _thin(np.arange(len(label)))
    pipeline.fit(_fill_empty_features(values[rows]).astype(float), label[rows])
    return Candidate(pipeline, _fit_calibrator(task, margin, truth), {"C": strength}), margin


def _thin(rows: np.ndarray) -> np.ndarray:
    """Evenly spread rows: more would not move a linear model."""
    return rows[:: -(-len(rows) // REGRESSION_ROWS)]


def _preprocessing() -> Pipeline:
    return Pipeline(
        [
            # Amounts span six orders of magnitude, too many for a linear model: it gets their ranks, as normal scores.
            ("rank", QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=SEED)),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)),
            ("scale", StandardScaler()),
        ]
    )


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=500)


def _fit_calibrator(task: Task, margin: np.ndarray, label: np.ndarray) -> Calibrator:
    if label.sum() < task.calibration.isotonic_from_positives:
        sigmoid = LogisticRegression(C=np.inf).fit(margin.reshape(-1, 1), label)
        if sigmoid.coef_[0, 0] <= 0:
            share = label.mean()
            sigmoid.coef_, sigmoid.intercept_ = np.full((1, 1), FLAT), np.array([np.log(share / (1 - share))])
        return sigmoid
    # No outcome is impossible or certain: the bounds are the rate that one more customer could have shown.
    least = 1 / (len(label) + 1)
    return IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(margin, label)
