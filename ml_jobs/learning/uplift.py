"""What a treatment changes: learned from random arms, how much less likely the outcome is for those who are treated.

Two candidates, the simpler first. *One risk*: the risk is learned from both arms together, and the treatment moves its
log odds by one amount, so whoever is more at risk gains more. *Two risks*: that of each arm is learned apart (a
T-learner), so anything may modify the effect. The second is used only where it is better beyond the interval.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import LogisticRegression

from ml_jobs.errors import CannotScore
from ml_jobs.learning.classifier import FLAT, Candidate, Learned, learn
from ml_jobs.learning.folds import SEED, folds
from ml_jobs.learning.metrics import bootstrap_weights, interval
from ml_jobs.task_file import Task

FOLDS = 5
Risks = tuple[np.ndarray, np.ndarray]  # of the outcome, without and with the treatment


@dataclass(frozen=True)
class Uplift:
    """The risk without and with the treatment, which candidate they are, and why."""

    untreated: Candidate
    treated: Candidate
    choice: str
    why: str


def learn_uplift(task: Task, values: np.ndarray, label: np.ndarray, treated: np.ndarray, groups: np.ndarray) -> Uplift:
    """Fit both candidates, and choose on rows that neither was fitted to.

    Parameters
    ----------
    values : (n, features) array in single precision, nan where missing
    label : (n,) array of 0 and 1
        1 where the outcome came that the treatment is to prevent.
    treated : (n,) array of 0 and 1, drawn at random
    groups : (n,) array
        Whom a row is about.

    Raises
    ------
    CannotScore
        If the treatment prevents nothing beyond the interval, or nothing tells who is at risk.
    """
    weights = bootstrap_weights(groups)
    effect = interval(average_effect(label, treated, weights))
    if effect.low <= 0:
        raise CannotScore(
            f"the treatment prevents {effect.value:+.2%} ({effect.low:+.2%} to {effect.high:+.2%}) of the outcomes in "
            "the development months: the interval holds 0"
        )
    one, one_risks = _one_risk(task, values, label, treated, groups)
    two, two_risks = _two_risks(task, values, label, treated, groups)
    areas = (qini(label, treated, untreated - with_it, weights) for untreated, with_it in (two_risks, one_risks))
    ranked = interval(np.subtract(*areas))
    losses = (
        _losses(label, np.where(treated == 1, with_it, untreated)) for untreated, with_it in (one_risks, two_risks)
    )
    surer = interval(weights @ np.subtract(*losses) / weights.sum(axis=1))
    told = (
        f"Qini {ranked.value:+.4f} ({ranked.low:+.4f} to {ranked.high:+.4f}), "
        f"log loss {-surer.value:+.4f} ({-surer.high:+.4f} to {-surer.low:+.4f}) on rows not fitted"
    )
    if max(ranked.low, surer.low) > 0 and min(ranked.high, surer.high) > 0:
        return Uplift(*two, "two_risks", f"the risks of the arms, learned apart, are better: {told}")
    why = f"the risks of the arms, learned apart, are not better beyond the interval, so one risk is used: {told}"
    return Uplift(*one, "one_risk", why)


def average_effect(label: np.ndarray, treated: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of outcomes among the untreated less that among the treated, once per line of ``weights``."""
    arms = (weights * (treated == arm) for arm in (0, 1))
    return np.subtract(*((arm @ label) / arm.sum(axis=1) for arm in arms))


def qini(label: np.ndarray, treated: np.ndarray, uplift: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The normalised Qini coefficient, once per line of ``weights``.

    The area between the Qini curve (outcomes prevented among the treated, from the highest uplift down; Radcliffe 2007)
    and the straight line of a random order, as a share of that of a perfect order, which knows the outcomes. Rows of
    equal uplift are a fair draw.

    Parameters
    ----------
    label, treated, uplift : (n,) arrays
    weights : (1 + replicates, n) array
        How often each row is drawn; see `metrics.bootstrap_weights`.
    """
    kept = 1 - label
    perfect = 2 * (kept == treated) + kept  # kept by the treatment or lost without it first, the other way round last
    return _area(kept, treated, uplift, weights) / _area(kept, treated, perfect, weights)


def qini_curve(label: np.ndarray, treated: np.ndarray, uplift: np.ndarray, points: int = 20) -> list[dict[str, float]]:
    """The Qini curve at even shares of the rows: outcomes prevented per treated customer of the whole."""
    share, gain, all_treated = next(_curves(1 - label, treated, uplift, np.ones((1, len(label)))))
    at = np.linspace(0, 1, points + 1)
    return [
        {"share": float(x), "prevented": float(y)}
        for x, y in zip(at, np.interp(at, share, gain) / all_treated, strict=True)
    ]


def _area(kept, treated, score, weights) -> np.ndarray:
    return np.array(
        [np.trapezoid(gain - gain[-1] * share, share) for share, gain, _ in _curves(kept, treated, score, weights)]
    )


def _curves(kept, treated, score, weights):
    """Per line of weights: share of the rows taken, customers kept among the treated beyond those expected; treated."""
    group = np.unique(-score, return_inverse=True)[1]
    for line in weights:
        counts = (
            np.bincount(group, weights=line * part)
            for part in (treated, treated * kept, 1 - treated, (1 - treated) * kept)
        )
        treated_taken, treated_kept, control_taken, control_kept = (np.r_[0, np.cumsum(count)] for count in counts)
        expected = np.divide(control_kept, control_taken, out=np.zeros_like(control_kept), where=control_taken > 0)
        taken = treated_taken + control_taken
        yield taken / taken[-1], treated_kept - expected * treated_taken, treated_taken[-1]


def _losses(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Log loss of every row."""
    return -np.log(np.clip(np.where(label == 1, probability, 1 - probability), 1e-6, 1))


def _one_risk(task, values, label, treated, groups) -> tuple[tuple[Candidate, Candidate], Risks]:
    """One risk, whose log odds the treatment moves; and both risks of every row, by models not fitted to it."""
    learned, margin = _out_of_fold(task, values, label, groups)
    moved = LogisticRegression(C=np.inf).fit(np.column_stack([margin, treated]), label)
    (slope, shift), base = moved.coef_[0], moved.intercept_[0]
    if slope <= FLAT:
        raise CannotScore("in the development months nothing tells who is at risk")
    arms = tuple(
        Candidate(learned.chosen.estimator, _sigmoid(slope, base + arm * shift), learned.chosen.chosen)
        for arm in (0, 1)
    )
    return arms, tuple(arm.probability(margin) for arm in arms)


def _two_risks(task, values, label, treated, groups) -> tuple[tuple[Candidate, Candidate], Risks]:
    """The risk of each arm; and both risks of every row, by models not fitted to it."""
    arms, risks = [], []
    for arm in (0, 1):
        own = treated == arm
        learned, margin = _out_of_fold(task, values[own], label[own], groups[own])
        all_margins = learned.chosen.margin(values)
        all_margins[own] = margin
        arms.append(learned.chosen)
        risks.append(learned.chosen.probability(all_margins))
    return tuple(arms), tuple(risks)


def _out_of_fold(task, values, label, groups) -> tuple[Learned, np.ndarray]:
    """What was learned, and the chosen candidate's margin of every row, by fits that did not see its group."""
    parts = tuple(folds(label, groups, FOLDS, SEED))
    learned = learn(task, values, label, groups, parts)
    margin = np.empty(len(label))
    margin[np.concatenate([judged for _, judged in parts])] = learned.held_out_margins[learned.choice]
    return learned, margin


def _sigmoid(slope: float, base: float) -> LogisticRegression:
    """A calibration whose coefficients are given."""
    sigmoid = LogisticRegression(C=np.inf).fit([[-1.0], [1.0]], [0, 1])
    sigmoid.coef_, sigmoid.intercept_ = np.array([[slope]]), np.array([base])
    return sigmoid
