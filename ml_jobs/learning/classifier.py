"""Binary classifiers: boosted trees against logistic regression, each calibrated on rows that it was not fitted to.

A *fold* is a pair of row sets: a trial is fitted on the first and validated on the second. A division by time gives one
fold (later rows validate), cross-validation gives several. The trials choose the hyperparameters, the number of trees
and the strength of regularisation; then each model is fitted once more, with what was chosen, on all rows. The simpler
model is selected unless the trees rank better, or state better probabilities, beyond the interval on the validation
rows.

**Calibration** is learned from rows of all development months, by models that have not seen the row's group
(cross-fitting): such models know as many months, and the same ones, as the one that scores. The few last months alone
would bring their chance into every promise, and a model of fewer months has another level. The map is linear in the log
odds, in three pieces that meet at the median and where the top decile begins; their slopes are drawn towards one slope,
the more the fewer the outcomes. Isotonic steps, which have as many parameters as the data like, promise most where
chance was best.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, ndtri
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from lakehouse.language import ENGLISH
from ml_jobs.learning import SEED
from ml_jobs.learning.folds import Fold, turns
from ml_jobs.learning.metrics import (
    auc,
    bootstrap_weights,
    interval,
    log_losses,
    log_losses_of_margin,
    weighted_means,
)
from ml_jobs.task_file import Task

KNOTS = (0.5, 0.9)  # shares of the list, from its end, at which the pieces of the calibration meet
SLOPE_DEVIATION = 0.5  # of a piece's slope from the common one, as expected before the outcomes are seen
FREE = 30  # length of the column of the common slope, in those of a piece
GRID = 200  # points at which a calibration of pieces is kept
# Slope of the calibration of a model without information: everybody gets the base rate, in the model's order.
FLAT = 1e-9
THREADS = 2  # the most, fixed, so that sums are taken in the same order on every machine
VALUES_PER_THREAD = 20_000_000  # with fewer, threads wait for each other longer than they work
CHUNK = 100_000  # rows scored at once: an estimator copies them in double precision
REGRESSION_ROWS = 60_000  # at most
STRENGTHS = (0.003, 0.03, 0.3)  # inverse strengths of regularisation that logistic regression tries
LEAST_RANK = 1e-7  # of a value below all that are known: its normal score is finite
TREES, REGRESSION = "hist_gradient_boosting", "logistic_regression"

Estimator = HistGradientBoostingClassifier | Pipeline
Calibrator = IsotonicRegression | LogisticRegression
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
            return _margin(self.estimator, values)

    def probability(self, margin: np.ndarray) -> np.ndarray:
        """Calibrated probability of each margin; it never falls as the margin rises."""
        if isinstance(self.calibrator, IsotonicRegression):
            return self.calibrator.predict(margin)
        return self.calibrator.predict_proba(margin.reshape(-1, 1))[:, 1]

    @property
    def calibration(self) -> str:
        """Which map it is, in words."""
        return "sigmoid" if isinstance(self.calibrator, LogisticRegression) else "log odds, linear in three pieces"

    @property
    def is_uninformative(self) -> bool:
        """Whether the outcome was not more frequent among the unseen rows that the model ranks higher."""
        return isinstance(self.calibrator, LogisticRegression) and bool(self.calibrator.coef_[0, 0] <= FLAT)


class Unseen(NamedTuple):
    """Positions of the rows that calibrate, and their margins by models that have not seen the row's group."""

    rows: np.ndarray
    margin: np.ndarray


@dataclass(frozen=True)
class Selection:
    """Both candidates, which of them is selected, and why."""

    candidates: dict[str, Candidate]
    choice: str
    why: str
    held_out_margins: dict[str, np.ndarray]  # of the validation rows, fold by fold
    unseen: dict[str, Unseen]

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
    folds : sequence of (rows to fit, rows to validate)
    """
    held_out = np.concatenate([validated for _, validated in folds])
    with threadpool_limits(min(THREADS, 1 + values.size // VALUES_PER_THREAD)):
        trees, trees_margin, by_trees = fit_trees(task, values, label, groups, folds)
        regression, regression_margin, by_regression = fit_regression(values, label, groups, folds)
    candidates, unseen = {TREES: trees, REGRESSION: regression}, {TREES: by_trees, REGRESSION: by_regression}
    margins = {TREES: trees_margin, REGRESSION: regression_margin}
    if task.algorithm != "automatic":
        return Selection(candidates, task.algorithm, ENGLISH("the task file says so"), margins, unseen)
    truth, weights = label[held_out], bootstrap_weights(groups[held_out])
    better = interval(auc(truth, trees_margin, weights) - auc(truth, regression_margin, weights))
    saved = log_losses(truth, regression.probability(regression_margin)) - log_losses(
        truth, trees.probability(trees_margin)
    )
    surer = interval(weighted_means(weights, saved))
    comparison = ENGLISH(
        "ROC AUC {area}, log loss {loss} on the validation rows",
        area=f"{better.value:+.3f} ({better.low:+.3f} to {better.high:+.3f})",
        loss=f"{-surer.value:+.4f} ({-surer.high:+.4f} to {-surer.low:+.4f})",
    )
    if max(better.low, surer.low) > 0 and min(better.high, surer.high) > 0:
        why = ENGLISH("boosted trees are better than logistic regression: {comparison}", comparison=comparison)
        return Selection(candidates, TREES, why, margins, unseen)
    why = ENGLISH(
        "boosted trees are not better than logistic regression beyond the interval, so the simpler is used: "
        "{comparison}",
        comparison=comparison,
    )
    return Selection(candidates, REGRESSION, why, margins, unseen)


def fit_trees(
    task: Task,
    values: np.ndarray,
    label: np.ndarray,
    groups: np.ndarray,
    folds: Sequence[Fold],
    shape: Mapping[str, object] = MappingProxyType({}),
    bound: Callable[[HistGradientBoostingClassifier], HistGradientBoostingClassifier] = lambda trees: trees,
) -> tuple[Candidate, np.ndarray, Unseen]:
    """Boosted trees, their margins of the validation rows, fold by fold, and those of the rows that calibrate.

    Parameters
    ----------
    shape : mapping of str to object, optional
        Hyperparameters, by the estimator's name for them, that no task and no search changes.
    bound : function of trees, optional
        What is made of trees once they are fitted; those of all rows come last.
    """
    trials: list[Parameters] = [{}, *(alternative.model_dump(exclude_none=True) for alternative in task.search)]
    searched = [
        (float(_loss_per_iteration(*_staged_margins(task, values, label, *folds[0], trial | dict(shape))).min()), trial)
        for trial in (trials if task.search else ())
    ]
    chosen = min(searched, key=lambda tried: tried[0])[1] if searched else {}
    parameters = chosen | dict(shape)
    staged = [_staged_margins(task, values, label, *fold, parameters) for fold in folds]
    iterations = min(len(margins) for margins, _ in staged)
    losses = np.sum([_loss_per_iteration(margins[:iterations], truth) for margins, truth in staged], axis=0)
    iterations = int(np.argmin(losses)) + 1
    validated = np.concatenate([margins[iterations - 1] for margins, _ in staged])

    def fitted(rows: np.ndarray) -> HistGradientBoostingClassifier:
        trees = _trees(task, parameters | {"max_iter": iterations}, early_stopping=False)
        return bound(trees.fit(_fill_empty_features(values[rows]), label[rows]))

    unseen = _unseen(fitted, values, label, groups, folds, validated)
    calibrator = fit_calibrator(unseen.margin, label[unseen.rows], groups[unseen.rows])
    trees = fitted(np.arange(len(label)))
    return Candidate(trees, calibrator, {**chosen, "iterations": iterations}), validated, unseen


def _staged_margins(
    task: Task,
    values: np.ndarray,
    label: np.ndarray,
    fit: np.ndarray,
    calibrate: np.ndarray,
    parameters: Mapping[str, object],
) -> tuple[np.ndarray, np.ndarray]:
    """(iterations, n) margins of the validation rows after each tree, and their (n,) labels."""
    held_out, truth = values[calibrate], label[calibrate]
    trial = _trees(task, parameters, early_stopping=True)
    # pyrefly: ignore[unexpected-keyword]  # its stubs are of an older scikit-learn
    trial.fit(_fill_empty_features(values[fit]), label[fit], X_val=held_out, y_val=truth)
    return np.stack([margin.ravel() for margin in trial.staged_decision_function(held_out)]), truth


def _trees(task: Task, parameters: Mapping[str, object], early_stopping: bool) -> HistGradientBoostingClassifier:
    hyperparameters: dict[str, Any] = task.parameters.model_dump() | dict(parameters)
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
    values: np.ndarray, label: np.ndarray, groups: np.ndarray, folds: Sequence[Fold]
) -> tuple[Candidate, np.ndarray, Unseen]:
    """Logistic regression, its margins of the validation rows, fold by fold, and those of the rows that calibrate."""
    truth = np.concatenate([label[validated] for _, validated in folds])
    margins: dict[float, list[np.ndarray]] = {strength: [] for strength in STRENGTHS}
    for development, validated in folds:
        fit = _thin(development)
        preprocess = _preprocessing(len(fit)).fit(_fill_empty_features(values[fit]).astype(float))
        known, held_out = (preprocess.transform(values[rows].astype(float)) for rows in (fit, validated))
        for strength in STRENGTHS:
            margins[strength].append(_regression(strength).fit(known, label[fit]).decision_function(held_out))
    losses = {strength: log_losses_of_margin(truth, np.concatenate(margins[strength])).mean() for strength in STRENGTHS}
    strength = min(STRENGTHS, key=losses.__getitem__)

    def fitted(rows: np.ndarray) -> Pipeline:
        fit = _thin(rows)
        pipeline = Pipeline([*_preprocessing(len(fit)).steps, ("regress", _regression(strength))])
        return pipeline.fit(_fill_empty_features(values[fit]).astype(float), label[fit])

    margin = np.concatenate(margins[strength])
    unseen = _unseen(fitted, values, label, groups, folds, margin)
    calibrator = fit_calibrator(unseen.margin, label[unseen.rows], groups[unseen.rows])
    return Candidate(fitted(np.arange(len(label))), calibrator, {"C": strength}), margin, unseen


def _thin(rows: np.ndarray) -> np.ndarray:
    """Evenly spread rows: more would not move a linear model."""
    return rows[:: -(-len(rows) // REGRESSION_ROWS)]


def _preprocessing(rows: int) -> Pipeline:
    quantiles = min(200, rows)
    return Pipeline(
        [
            # Amounts span six orders of magnitude, too many for a linear model: it gets their ranks, as normal scores.
            # QuantileTransformer's own normal scores, one column at a time, take longer than the rest of a fit.
            ("rank", QuantileTransformer(n_quantiles=quantiles, random_state=SEED)),
            # pyrefly: ignore[bad-argument-type]  # its stubs take whole numbers only
            ("inside", MinMaxScaler(feature_range=(LEAST_RANK, 1 - LEAST_RANK))),
            ("normal", FunctionTransformer(ndtri)),
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)),
            ("scale", StandardScaler()),
        ]
    )


def _regression(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=500)


def _unseen(
    fitted: Callable[[np.ndarray], Estimator],
    values: np.ndarray,
    label: np.ndarray,
    groups: np.ndarray,
    folds: Sequence[Fold],
    validated: np.ndarray,
) -> Unseen:
    """Rows with their margins, each by a model that has not seen the row's group.

    Parameters
    ----------
    fitted : function of positions
        Fits the chosen model to these rows.
    validated : (n validated,) array
        Margins of the validation rows. Where there are several folds these are all rows already.
    """
    if len(folds) > 1:
        rows = np.concatenate([validate for _, validate in folds])
        return Unseen(rows, validated)
    held_outs, margins = [], []
    for rows, held_out in turns(label, groups):
        held_outs.append(held_out)
        margins.append(_margin(fitted(rows), values[held_out]))
    return Unseen(np.concatenate(held_outs), np.concatenate(margins))


def _margin(estimator: Estimator, values: np.ndarray) -> np.ndarray:
    """(n,) log odds, from (n, features)."""
    chunks = (values[start : start + CHUNK].astype(float) for start in range(0, len(values), CHUNK))
    return np.concatenate([np.empty(0), *map(estimator.decision_function, chunks)])


def fit_calibrator(margin: np.ndarray, label: np.ndarray, groups: np.ndarray) -> Calibrator:
    """The map from margins to probabilities: three pieces, or one where the pieces would fall or tell nothing.

    Rows of one group resemble each other, so they weigh less, by the design effect: the variance of the sum of
    residuals over that of as many independent rows.
    """
    sigmoid = LogisticRegression(C=np.inf).fit(margin.reshape(-1, 1), label)
    if sigmoid.coef_[0, 0] <= FLAT:
        share = label.mean()
        sigmoid.coef_, sigmoid.intercept_ = np.full((1, 1), FLAT), np.array([np.log(share / (1 - share))])
        return sigmoid
    residual = label - sigmoid.predict_proba(margin.reshape(-1, 1))[:, 1]
    of_group = np.bincount(np.unique(groups, return_inverse=True)[1], weights=residual)
    weight = np.full(len(label), min(1.0, (residual**2).sum() / (of_group**2).sum()))
    knots = np.quantile(margin, KNOTS)
    if knots[0] == knots[1]:
        return sigmoid
    # The common slope is free: its column is so long that its coefficient costs nothing.
    curve = LogisticRegression(C=SLOPE_DEVIATION**2, solver="newton-cholesky")
    curve.fit(np.column_stack([FREE * margin, _pieces(margin, knots)]), label, weight)
    slopes = FREE * curve.coef_[0, 0] + curve.coef_[0, 1:]
    if slopes.min() <= 0:
        return sigmoid
    at = np.unique(np.r_[knots, np.linspace(margin.min(), margin.max(), GRID)])
    # Between the points it is linear; beyond the margins that were seen it promises no more than at their ends.
    log_odds = curve.intercept_[0] + _pieces(at, knots) @ slopes
    return IsotonicRegression(out_of_bounds="clip").fit(at, expit(log_odds))


def _pieces(margin: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """(n, 3) how far each margin reaches into each piece; the columns add up to the margin."""
    low, high = knots
    return np.column_stack(
        [np.minimum(margin, low), np.clip(margin - low, 0, high - low), np.maximum(margin - high, 0)]
    )
