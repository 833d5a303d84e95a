"""What scores are worth on the test rows: metrics with intervals, calibration, months, segments, fairness."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import NotRequired, TypedDict

import numpy as np
import pyarrow as pa
from scipy.special import expit, logit

from lakehouse.errors import Stop
from ml_jobs.learning.calibration import NO_QUARTERS, Promise, promises
from ml_jobs.learning.classifier import Selection
from ml_jobs.learning.fairness import GroupGap, group_gaps
from ml_jobs.learning.leaks import Sign, best_rule
from ml_jobs.learning.metrics import (
    SHARE,
    Figure,
    auc,
    bootstrap_weights,
    figure,
    log_losses_of_margin,
    score_metrics,
    weighted_means,
)
from ml_jobs.learning.quarters import QuarterSpread
from ml_jobs.task_file import Baseline, Task

LEAST_POSITIVES = 10  # and as many negatives, for a month or segment to get a ROC AUC


class GroupFigures(TypedDict):
    """The model's figures of one group of rows."""

    group: str
    rows: int
    positives: int
    observed: float  # rate of the outcome
    expected: float  # mean probability
    selected: float  # share of the group in the top of the whole list
    found: float | None  # share of the group's positives in that top; None without positives
    roc_auc: NotRequired[Figure]  # where there are enough positives and negatives


class Rule(TypedDict):
    """The one-line rule: rank by ``sign`` times ``feature``."""

    feature: str
    sign: Sign


class Evaluation(TypedDict):
    """What a card says of the test rows; figures by score, groups by column."""

    figures: dict[str, dict[str, Figure]]
    before_calibration: dict[str, Figure]
    promises: list[Promise]  # by part of the list
    by_month: list[GroupFigures]
    segments: dict[str, list[GroupFigures]]
    fairness: dict[str, list[GroupFigures]]
    group_gaps: dict[str, list[GroupGap]]


@dataclass(frozen=True)
class Predictions:
    """Predictions of every score for the test rows, once per repeat: arrays of (repeats, n)."""

    entity: np.ndarray  # (n,)
    groups: np.ndarray  # (n,) drawn together in the bootstrap
    as_of_date: np.ndarray  # (n,)
    label: np.ndarray  # (n,)
    ranking: dict[str, np.ndarray]
    probability: dict[str, np.ndarray]

    def to_table(self) -> pa.Table:
        """One line per row, means over repeats: for figures that are computed later."""
        columns = {"customer_key": self.entity, "as_of_date": self.as_of_date, "label": self.label}
        columns |= {name: scores.mean(axis=0) for name, scores in self.ranking.items()}
        return pa.table(columns | {"model_probability": self.probability["model"].mean(axis=0)})


def predict(
    task: Task,
    selection: Selection,
    columns: Sequence[str],
    trained: tuple[np.ndarray, np.ndarray],
    values: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], Rule]:
    """Rankings and probabilities of the model, both candidates, the one-line rule and the base rate; and the rule.

    Parameters
    ----------
    trained : values and label of the training rows: the rule is chosen on them, if the task names none
    values : (n, columns) array of the test rows

    Raises
    ------
    Stop
        If the data lack the feature of the task's rule.
    """
    if task.baseline is None:
        feature, sign = best_rule(*trained, columns)
        rule = Baseline(feature=feature, sign=sign)
    else:
        rule = task.baseline
    if rule.feature not in columns:
        raise Stop(f"baseline: the data have no feature {rule.feature}; they have {', '.join(columns)}")
    ruled = rule.sign * values[:, list(columns).index(rule.feature)].astype(np.float64)
    candidates = {"model": selection.selected, **selection.candidates}
    ranking = {name: candidate.margin(values) for name, candidate in candidates.items()}
    probability = {name: candidate.probability(ranking[name]) for name, candidate in candidates.items()}
    ranking["rule"] = np.where(np.isnan(ruled), -np.inf, ruled)  # rows without the figure come last
    ranking["base_rate"] = probability["base_rate"] = np.full(len(values), trained[1].mean())
    return ranking, probability, {"feature": rule.feature, "sign": rule.sign}


def comparable_across_folds(
    ranking: dict[str, np.ndarray], probability: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Rankings that can be compared across folds, whose margins have different scales; order within a fold is kept."""
    return ranking | {
        name: logit(np.clip(stated, 1e-9, 1 - 1e-9)) + 1e-6 * ranking[name] for name, stated in probability.items()
    }


def evaluate_predictions(
    task: Task,
    predictions: Predictions,
    margin: np.ndarray,
    columns: Mapping[str, np.ndarray],
    quarters: Mapping[str, QuarterSpread] = NO_QUARTERS,
) -> Evaluation:
    """Everything that a card says of the test rows.

    Parameters
    ----------
    margin : (repeats, n) array
        The model's log odds before calibration.
    columns : dict of str to (n,) array
        The columns of the task's segments and fairness groups.
    quarters : dict of str to QuarterSpread, optional
        By part of the list, how quarters differ from what the model promises.
    """
    share = task.capacity[-1]
    segments, fairness = (
        {name: band_names(columns[name], edges) for name, edges in named.items()}
        for named in (task.segments, task.fairness)
    )
    ranking, probability = (scores["model"][0] for scores in (predictions.ranking, predictions.probability))
    return {
        "figures": score_figures(predictions, task.capacity),
        "before_calibration": _before_calibration(predictions, margin),
        "promises": _promises(task, predictions, quarters),
        "by_month": _by_month(predictions, share) if task.as_of_date else [],
        "segments": {name: _by_group(predictions, group, share) for name, group in segments.items()},
        "fairness": {name: _by_group(predictions, group, share) for name, group in fairness.items()},
        "group_gaps": {
            name: group_gaps(ranking, group, predictions.groups, share, (predictions.label, probability))
            for name, group in fairness.items()
        },
    }


def score_figures(predictions: Predictions, shares: Sequence[float]) -> dict[str, dict[str, Figure]]:
    """Every score's metrics, with the central 95 % of bootstrap replicates over groups."""
    weights = bootstrap_weights(predictions.groups)
    figures: dict[str, dict[str, Figure]] = {}
    for name, ranking in predictions.ranking.items():
        alike = [other for other in figures if np.array_equal(predictions.ranking[other], ranking)]
        if alike:  # the model is one of the candidates
            figures[name] = figures[alike[0]]
            continue
        metrics = score_metrics(predictions.label, ranking, predictions.probability.get(name), weights, shares)
        figures[name] = {key: Figure(**asdict(metric)) for key, metric in metrics.items() if np.isfinite(metric.value)}
    figures["base_rate"].pop("calibration_slope", None)  # a constant has none
    return figures


def _before_calibration(predictions: Predictions, margin: np.ndarray) -> dict[str, Figure]:
    """Brier score and log loss of the model before calibration."""
    weights = bootstrap_weights(predictions.groups)
    losses = {
        "brier": ((expit(margin) - predictions.label) ** 2).mean(axis=0),
        "log_loss": log_losses_of_margin(predictions.label, margin).mean(axis=0),
    }
    return {name: figure(weighted_means(weights, loss), least=0) for name, loss in losses.items()}


def _promises(task: Task, predictions: Predictions, quarters: Mapping[str, QuarterSpread]) -> list[Promise]:
    """What the model promised by part of the list; the bank cuts a list on each date, a user's table is one list."""
    day = predictions.as_of_date if task.is_of_the_bank else None
    ranking, probability = (scores["model"] for scores in (predictions.ranking, predictions.probability))
    return promises(task, predictions.label, ranking, probability, predictions.groups, day, quarters)


def _by_month(predictions: Predictions, share: float) -> list[GroupFigures]:
    return _by_group(predictions, predictions.as_of_date.astype("datetime64[M]").astype(str), share)


def _by_group(predictions: Predictions, group: np.ndarray, share: float) -> list[GroupFigures]:
    """The model's figures per group of rows, (n,) names, and its top ``share`` of the whole list."""
    ranking, probability = predictions.ranking["model"], predictions.probability["model"]
    in_top = ranking >= np.quantile(ranking, 1 - share, axis=1, keepdims=True)
    lines: list[GroupFigures] = []
    for name in sorted(np.unique(group.astype(str)), key=_band_order):
        in_group = group.astype(str) == name
        label = predictions.label[in_group]
        line: GroupFigures = {
            "group": name,
            "rows": int(in_group.sum()),
            "positives": int(label.sum()),
            "observed": float(label.mean()),
            "expected": float(probability[:, in_group].mean()),
            "selected": float(in_top[:, in_group].mean()),
            "found": float(in_top[:, in_group][:, label == 1].mean()) if label.any() else None,
        }
        if min(label.sum(), len(label) - label.sum()) >= LEAST_POSITIVES:
            weights = bootstrap_weights(predictions.groups[in_group])
            areas = np.mean([auc(label, one, weights) for one in ranking[:, in_group]], axis=0)
            line["roc_auc"] = figure(areas, *SHARE)
        lines.append(line)
    return lines


def band_names(column: np.ndarray, edges: Iterable[float]) -> np.ndarray:
    """Names of the groups of a column: its values, or bands between the edges.

    >>> band_names(np.array([5, 30, 70, np.nan]), (30, 60)).tolist()
    ['below 30', '30 to 60', '60 and more', 'missing']
    """
    edges = list(edges)
    if not edges:
        return np.array([_value_name(value) for value in column], dtype=object)
    numbers = np.array(column, dtype=float)
    names = [f"below {edges[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(edges))]
    names = np.array([*names, f"{edges[-1]:g} and more", "missing"], dtype=object)
    return names[np.where(np.isnan(numbers), len(edges) + 1, np.searchsorted(edges, numbers, side="right"))]


def _band_order(name: str) -> tuple[bool, float, str]:
    """Bands by their lower edge, other groups by name, missing ones last."""
    try:
        edge = -np.inf if name.startswith("below ") else float(name.split(" ")[0])
    except ValueError:
        edge = np.inf
    return name == "missing", edge, name


def _value_name(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
