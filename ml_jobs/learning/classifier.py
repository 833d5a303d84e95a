"""Learning from rows: boosted trees against logistic regression, each calibrated on rows that it was not fitted to.

A *part* is a pair of row sets: a trial is fitted on the first, and judged and calibrated on the second. Time gives one
part (later rows calibrate), folds give several. The trials choose the parameters, the number of trees and the strength
of regularisation, and give the calibration; then each model is fitted once more, to what was chosen, on all rows. The
simpler model is chosen unless the trees rank better, or state better probabilities, beyond the interval on the rows
that calibrate.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from ml_jobs.learning.metrics import auc, bootstrap_weights, interval
from ml_jobs.task_file import Task

FLAT = 1e-9  # slope of the calibration of a model that says nothing: the base rate for all, in the model's order
SEED = 20240229
THREADS = 2  # the most, fixed, so that sums are taken in the same order on every machine
VALUES_PER_THREAD = 20_000_000  # for less, threads wait for each other longer than they work
CHUNK = 100_000  # rows that are scored at once: an estimator copies them in double precision
REGRESSION_ROWS = 60_000  # at most
STRENGTHS = (0.003, 0.03, 0.3)  # inverse, of the regularisation that logistic regression tries
TREES, REGRESSION = "hist_gradient_boosting", "logistic_regression"

Estimator = HistGradientBoostingClassifier | Pipeline
Calibrator = IsotonicRegression | LogisticRegression
Part = tuple[np.ndarray, np.ndarray]  # rows to fit, rows to calibrate


@dataclass(frozen=True)
class Candidate:
    """A fitted model, the map from its margin to a probability, and what was chosen for it."""

    estimator: Estimator
    calibrator: Calibrator
    chosen: dict[str, float]

    def margin(self, values: np.ndarray) -> np.ndarray:
        """Log odds before calibration; what rows are ranked by."""
        with threadpool_limits(1):  # on a busy machine threads wait for each other longer than they work
            parts = (values[start : start + CHUNK].astype(float) for start in range(0, len(values), CHUNK))
            return np.concatenate([np.empty(0), *map(self.estimator.decision_function, parts)])

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability of each margin; it never falls as the margin rises."""
        if isinstance(self.calibrator, IsotonicRegression):
            return self.calibrator.predict(margin)
        return self.calibrator.predict_proba(margin.reshape(-1, 1))[:, 1]

    @property
    def says_nothing(self) -> bool:
        """Whether on the calibration rows the outcome was not more frequent where the model expects it."""
        return isinstance(self.calibrator, LogisticRegression) and bool(self.calibrator.coef_[0, 0] <= FLAT)


@dataclass(frozen=True)
class Learned:
    """Both candidates, which of them is used, and why."""

    candidates: dict[str, Candidate]
    choice: str
    why: str
    held_out_margins: dict[str, np.ndarray]  # of the rows that calibrate, part by part

    @property
    def chosen(self) -> Candidate:
        return self.candidates[self.choice]


def learn(task: Task, values: np.ndarray, label: np.ndarray, groups: np.ndarray, parts: Sequence[Part]) -> Learned:
    """Fit, calibrate and choose.

    Parameters
    ----------
    values : (n, features) array in single precision, nan where missing
    label : (n,) array of 0 and 1
    groups : (n,) array
        Whom a row is about: rows are drawn by it in the bootstrap.
    parts : sequence of (rows to fit, rows to calibrate)
    """
    held_out = np.concatenate([calibrate for _, calibrate in parts])
    with threadpool_limits(min(THREADS, 1 + values.size // VALUES_PER_THREAD)):
        trees, trees_margin = _learn_trees(task, values, label, parts)
        regression, regression_margin = learn_regression(task, values, label, parts)
    candidates = {TREES: trees, REGRESSION: regression}
    margins = {TREES: trees_margin, REGRESSION: regression_margin}
    if task.algorithm != "automatic":
        return Learned(candidates, task.algorithm, "the task file says so", margins)
    truth, weights = label[held_out], bootstrap_weights(groups[held_out])
    better = interval(auc(truth, trees_margin, weights) - auc(truth, regression_margin, weights))
    saved = _row_losses(regression, regression_margin, truth) - _row_losses(trees, trees_margin, truth)
    surer = interval(weights @ saved / weights.sum(axis=1))
    told = (
        f"ROC AUC {better.value:+.3f} ({better.low:+.3f} to {better.high:+.3f}), "
        f"log loss {-surer.value:+.4f} ({-surer.high:+.4f} to {-surer.low:+.4f}) on the calibration rows"
    )
    if max(better.low, surer.low) > 0 and min(better.high, surer.high) > 0:
        return Learned(candidates, TREES, f"boosted trees are better than logistic regression: {told}", margins)
    why = f"boosted trees are not better than logistic regression beyond the interval, so the simpler is used: {told}"
    return Learned(candidates, REGRESSION, why, margins)


def _row_losses(candidate: Candidate, margin: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Log loss of every row."""
    probability = np.clip(candidate.probability(margin), 1e-6, 1 - 1e-6)
    return -np.log(np.where(label == 1, probability, 1 - probability))


def _learn_trees(task: Task, values: np.ndarray, label: np.ndarray, parts: Sequence[Part]):
    trials = [{}, *(alternative.model_dump(exclude_none=True) for alternative in task.search)]
    searched = (
        [(_loss(_staged(task, values, label, *parts[0], trial)), trial) for trial in trials] if task.search else []
    )
    chosen = min(searched, key=lambda tried: tried[0])[1] if searched else {}
    staged = [_staged(task, values, label, *part, chosen) for part in parts]
    iterations = min(len(margins) for margins, _ in staged)
    losses = sum(_losses(margins[:iterations], truth) for margins, truth in staged)
    iterations = int(np.argmin(losses)) + 1
    margin = np.concatenate([margins[iterations - 1] for margins, _ in staged])
    calibrator = _calibrator(task, margin, np.concatenate([truth for _, truth in staged]))
    trees = _trees(task, chosen, max_iter=iterations, early_stopping=False).fit(_filled(values), label)
    return Candidate(trees, calibrator, {**chosen, "iterations": iterations}), margin


def _staged(task: Task, values: np.ndarray, label: np.ndarray, fit: np.ndarray, calibrate: np.ndarray, chosen: dict):
    """Margins on the calibration rows after each tree, and their labels."""
    known, truth = values[calibrate], label[calibrate]
    trial = _trees(task, chosen, early_stopping=True).fit(_filled(values[fit]), label[fit], X_val=known, y_val=truth)
    return np.stack([margin.ravel() for margin in trial.staged_decision_function(known)]), truth


def _trees(task: Task, chosen: dict, **more) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        **task.parameters.model_dump() | chosen | more,
        n_iter_no_change=30,
        categorical_features=None,  # `explain` reads every split as a threshold
        random_state=SEED,
    )


def _filled(values: np.ndarray) -> np.ndarray:
    """A feature that is always missing becomes a constant: no model can learn from what has no value."""
    empty = np.isnan(values).all(axis=0)
    return np.where(empty, np.float32(0), values) if empty.any() else values


def _losses(margins: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Summed log loss after each tree."""
    return (np.logaddexp(0, margins) - margins * label).sum(axis=1)


def _loss(staged) -> float:
    return float(_losses(*staged).min())


def learn_regression(
    task: Task, values: np.ndarray, label: np.ndarray, parts: Sequence[Part]
) -> tuple[Candidate, np.ndarray]:
    """Logistic regression, and its margins of the rows that calibrate, part by part."""
    truth = np.concatenate([label[calibrate] for _, calibrate in parts])
    margins: dict[float, list[np.ndarray]] = {strength: [] for strength in STRENGTHS}
    for fit, calibrate in parts:
        fit = _some(fit)
        prepare = _prepare().fit(_filled(values[fit]).astype(float))
        known, judged = prepare.transform(values[fit].astype(float)), prepare.transform(values[calibrate].astype(float))
        for strength in STRENGTHS:
            margins[strength].append(_regress(strength).fit(known, label[fit]).decision_function(judged))
    losses = {strength: log_loss(truth, expit(np.concatenate(margins[strength]))) for strength in STRENGTHS}
    strength = min(losses, key=losses.get)
    margin = np.concatenate(margins[strength])
    pipeline = Pipeline([*_prepare().steps, ("regress", _regress(strength))])
    some = _some(np.arange(len(label)))
    pipeline.fit(_filled(values[some]).astype(float), label[some])
    return Candidate(pipeline, _calibrator(task, margin, truth), {"C": strength}), margin


def _some(rows: np.ndarray) -> np.ndarray:
    """Evenly spread rows: more would not move a linear model."""
    return rows[:: -(-len(rows) // REGRESSION_ROWS)]


def _prepare() -> Pipeline:
    return Pipeline(
        [
            # Amounts span six orders of magnitude, which a linear model cannot bear: their ranks, as normal scores.
            ("rank", QuantileTransformer(n_quantiles=200, output_distribution="normal", random_state=SEED)),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)),
            ("scale", StandardScaler()),
        ]
    )


def _regress(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=500)


def _calibrator(task: Task, margin: np.ndarray, label: np.ndarray) -> Calibrator:
    if label.sum() < task.calibration.isotonic_from_positives:
        sigmoid = LogisticRegression(C=np.inf).fit(margin.reshape(-1, 1), label)
        if sigmoid.coef_[0, 0] <= 0:
            share = label.mean()
            sigmoid.coef_, sigmoid.intercept_ = np.full((1, 1), FLAT), np.array([np.log(share / (1 - share))])
        return sigmoid
    # No outcome is ruled out or certain: the ends are what one more customer could have shown.
    least = 1 / (len(label) + 1)
    return IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(margin, label)
