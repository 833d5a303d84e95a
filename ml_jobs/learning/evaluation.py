"""What scores are worth on the rows that judge: figures with intervals, calibration, months, segments."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from scipy.special import expit, logit

from lakehouse.errors import Stop
from ml_jobs.learning.classifier import REGRESSION, TREES, Learned
from ml_jobs.learning.leaks import best_rule
from ml_jobs.learning.metrics import auc, bootstrap_weights, calibration_curve, figures, interval
from ml_jobs.task_file import Baseline, Task

SCORES = {"model": "model", TREES: "boosted trees", REGRESSION: "logistic regression", "rule": "one-line rule"}
LEAST_POSITIVES = 10  # of a month or segment that gets figures of its own


@dataclass(frozen=True)
class Judged:
    """What every score says of the rows that judge, once per repeat: arrays of (repeats, n)."""

    entity: np.ndarray  # (n,)
    groups: np.ndarray  # (n,) drawn together in the bootstrap
    as_of_date: np.ndarray  # (n,)
    label: np.ndarray  # (n,)
    ranking: dict[str, np.ndarray]
    probability: dict[str, np.ndarray]

    def take(self, rows: np.ndarray) -> "Judged":
        return Judged(
            *(column[rows] for column in (self.entity, self.groups, self.as_of_date, self.label)),
            {name: scores[:, rows] for name, scores in self.ranking.items()},
            {name: scores[:, rows] for name, scores in self.probability.items()},
        )

    def to_table(self) -> pa.Table:
        """One line per row, means over repeats: for figures that come later."""
        columns = {"customer_key": self.entity, "as_of_date": self.as_of_date, "label": self.label}
        columns |= {name: scores.mean(axis=0) for name, scores in self.ranking.items()}
        return pa.table(columns | {"model_probability": self.probability["model"].mean(axis=0)})


def judge(
    task: Task,
    learned: Learned,
    columns: Sequence[str],
    trained: tuple[np.ndarray, np.ndarray],
    values: np.ndarray,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, object]]:
    """Rankings and probabilities of the model, both candidates, the one-line rule and the base rate; and the rule.

    Parameters
    ----------
    trained : values and label of the rows that train: the rule is chosen on them, if the task names none
    values : (n, columns) array of the rows that judge
    """
    if task.baseline is None:
        feature, sign = best_rule(*trained, columns)
        rule = Baseline(feature=feature, sign=sign)
    else:
        rule = task.baseline
    if rule.feature not in columns:
        raise Stop(f"baseline: the data have no feature {rule.feature}; they have {', '.join(columns)}")
    ruled = rule.sign * values[:, list(columns).index(rule.feature)].astype(np.float64)
    candidates = {"model": learned.chosen, **learned.candidates}
    ranking = {name: candidate.margin(values) for name, candidate in candidates.items()}
    probability = {name: candidate.probability(ranking[name]) for name, candidate in candidates.items()}
    ranking["rule"] = np.where(np.isnan(ruled), -np.inf, ruled)  # rows without the figure come last
    ranking["base_rate"] = probability["base_rate"] = np.full(len(values), trained[1].mean())
    return ranking, probability, rule.model_dump()


def across_folds(ranking: dict[str, np.ndarray], probability: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rankings that may be compared across folds, whose margins stand on different scales; the order within is kept."""
    return ranking | {
        name: logit(np.clip(stated, 1e-9, 1 - 1e-9)) + 1e-6 * ranking[name] for name, stated in probability.items()
    }


def all_figures(judged: Judged, shares: Sequence[float]) -> dict[str, dict]:
    """Every score's figures, with the central 95 % of bootstrap replicates over groups."""
    weights = bootstrap_weights(judged.groups)
    found: dict[str, dict] = {}
    for name, ranking in judged.ranking.items():
        alike = [other for other in found if np.array_equal(judged.ranking[other], ranking)]
        if alike:  # the model is one of the candidates
            found[name] = found[alike[0]]
            continue
        worth = figures(judged.label, ranking, judged.probability.get(name), weights, shares)
        found[name] = {key: asdict(figure) for key, figure in worth.items() if np.isfinite(figure.value)}
    found["base_rate"].pop("calibration_slope", None)  # a constant has none
    return found


def uncalibrated(judged: Judged, margin: np.ndarray) -> dict[str, dict]:
    """Brier score and log loss of the model before calibration; margin: (repeats, n)."""
    weights = bootstrap_weights(judged.groups)
    brier = ((expit(margin) - judged.label) ** 2).mean(axis=0)
    log_loss = (np.logaddexp(0, margin) - margin * judged.label).mean(axis=0)
    return {
        name: asdict(interval(weights @ loss / weights.sum(axis=1)))
        for name, loss in (("brier", brier), ("log_loss", log_loss))
    }


def curve(judged: Judged) -> list[dict[str, float]]:
    """The model's calibration curve, over all repeats."""
    probability = judged.probability["model"]
    return calibration_curve(np.tile(judged.label, len(probability)), probability.ravel())


def by_month(judged: Judged, share: float) -> list[dict]:
    return by_group(judged, judged.as_of_date.astype("datetime64[M]").astype(str), share)


def by_group(judged: Judged, group: np.ndarray, share: float) -> list[dict]:
    """The model's figures per group of rows.

    Returns
    -------
    list of dict
        ``group``, ``rows``, ``positives``, ``observed`` and ``expected`` rate, ``selected`` (the group's share in the
        top ``share`` of the whole list), ``found`` (of its positives, those in that top), and ``roc_auc`` with its
        interval where there are enough positives and negatives.
    """
    ranking, probability = judged.ranking["model"], judged.probability["model"]
    in_top = ranking >= np.quantile(ranking, 1 - share, axis=1, keepdims=True)
    found = []
    for name in sorted(np.unique(group.astype(str)), key=_band_order):
        own = group.astype(str) == name
        label = judged.label[own]
        line = {
            "group": str(name),
            "rows": int(own.sum()),
            "positives": int(label.sum()),
            "observed": float(label.mean()),
            "expected": float(probability[:, own].mean()),
            "selected": float(in_top[:, own].mean()),
            "found": float(in_top[:, own][:, label == 1].mean()) if label.any() else None,
        }
        if min(label.sum(), len(label) - label.sum()) >= LEAST_POSITIVES:
            weights = bootstrap_weights(judged.groups[own])
            line["roc_auc"] = asdict(interval(np.mean([auc(label, one, weights) for one in ranking[:, own]], axis=0)))
        found.append(line)
    return found


def banded(column: np.ndarray, edges: Iterable[float]) -> np.ndarray:
    """Names of the groups of a column: its own values, or bands between the edges."""
    edges = list(edges)
    if not edges:
        return np.array([_named(value) for value in column], dtype=object)
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


def _named(value: object) -> str:
    if value is None or value != value:
        return "missing"
    return f"{value:g}" if isinstance(value, (float, np.floating)) else str(value)
