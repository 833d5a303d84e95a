"""Uplift: by how much a treatment lowers the probability of the outcome, estimated from randomised arms.

There are two candidates, the simpler first. *One risk*: one model of both arms (an S-learner), in which the treatment
shifts the log odds by one amount, so the effect is larger where the risk is. *Two risks*: one model for each arm (a
T-learner), so any feature may modify the effect. The second is used only where it is better beyond the interval.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from sklearn.linear_model import LogisticRegression

from lakehouse.language import ENGLISH
from ml_jobs.errors import CannotScore
from ml_jobs.learning import SEED
from ml_jobs.learning.calibration import TOP, Promise, in_top_decile
from ml_jobs.learning.classifier import FLAT, Candidate, Selection, select_model
from ml_jobs.learning.folds import stratified_folds
from ml_jobs.learning.metrics import bootstrap_weights, interval, log_losses, weighted_means
from ml_jobs.task_file import Task

FOLDS = 5
Arms = tuple[Candidate, Candidate]  # the risk without and with the treatment
Risks = tuple[np.ndarray, np.ndarray]  # (n,) probabilities of the outcome, without and with the treatment


class QiniPoint(TypedDict):
    """Outcomes prevented per treated customer of the whole, if this share of the rows is treated."""

    share: float
    prevented: float


@dataclass(frozen=True)
class UpliftModel:
    """The risk without and with the treatment, which candidate they are, and why."""

    untreated: Candidate
    treated: Candidate
    choice: str
    why: str


def fit_uplift(
    task: Task, values: np.ndarray, label: np.ndarray, treated: np.ndarray, groups: np.ndarray
) -> UpliftModel:
    """Fit both candidates, and select one on rows that neither was fitted to.

    Parameters
    ----------
    values : (n, features) array in single precision, nan where missing
    label : (n,) array of 0 and 1
        1 where the outcome happened that the treatment is to prevent.
    treated : (n,) array of 0 and 1, drawn at random
    groups : (n,) array
        Whom a row is about.

    Raises
    ------
    CannotScore
        If the treatment prevents nothing beyond the interval, or no feature says who is at risk.
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
        log_losses(label, np.where(treated == 1, with_it, untreated)) for untreated, with_it in (one_risks, two_risks)
    )
    surer = interval(weighted_means(weights, np.subtract(*losses)))
    comparison = ENGLISH(
        "Qini {area}, log loss {loss} on rows not fitted",
        area=f"{ranked.value:+.4f} ({ranked.low:+.4f} to {ranked.high:+.4f})",
        loss=f"{-surer.value:+.4f} ({-surer.high:+.4f} to {-surer.low:+.4f})",
    )
    if max(ranked.low, surer.low) > 0 and min(ranked.high, surer.high) > 0:
        why = ENGLISH("the risks of the arms, learned apart, are better: {comparison}", comparison=comparison)
        return UpliftModel(*two, "two_risks", why)
    why = ENGLISH(
        "the risks of the arms, learned apart, are not better beyond the interval, so one risk is used: {comparison}",
        comparison=comparison,
    )
    return UpliftModel(*one, "one_risk", why)


def average_effect(label: np.ndarray, treated: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of outcomes among the untreated less that among the treated, once per line of ``weights``.

    >>> average_effect(np.array([1, 1, 1, 0]), np.array([0, 0, 1, 1]), np.ones((1, 4))).tolist()
    [0.5]
    """
    arms = (weights * (treated == arm) for arm in (0, 1))
    return np.subtract(*((arm @ label) / arm.sum(axis=1) for arm in arms))


def effect_promises(label: np.ndarray, treated: np.ndarray, uplift: np.ndarray, weights: np.ndarray) -> list[Promise]:
    """Promised effect against the difference of the arms, of everybody and of the tenth with the highest uplift."""
    lines: list[Promise] = []
    for part, inside in (("everybody", np.ones(len(label), dtype=bool)), (TOP, in_top_decile(uplift))):
        if 0 < treated[inside].sum() < inside.sum():
            came = interval(average_effect(label[inside], treated[inside], weights[:, inside]), -1, 1)
            promised, rows = float(uplift[inside].mean()), int(inside.sum())
            lines.append(
                Promise(part=part, rows=rows, promised=promised, observed=came.value, low=came.low, high=came.high)
            )
    return lines


def qini(label: np.ndarray, treated: np.ndarray, uplift: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The normalised Qini coefficient, once per line of ``weights``.

    The area between the Qini curve (outcomes prevented among the treated, from the highest uplift down; Radcliffe 2007)
    and the straight line of a random order, as a share of that of a perfect order, which knows the outcomes. Among
    rows of equal uplift the order is random.

    Parameters
    ----------
    label, treated, uplift : (n,) arrays
    weights : (1 + replicates, n) array
        How often each row is drawn; see `metrics.bootstrap_weights`.
    """
    kept = 1 - label
    # First who was treated and kept, or untreated and lost; last who was treated and lost, or untreated and kept.
    perfect = 2 * (kept == treated) + kept
    return _area(kept, treated, uplift, weights) / _area(kept, treated, perfect, weights)


def qini_curve(label: np.ndarray, treated: np.ndarray, uplift: np.ndarray, points: int = 20) -> list[QiniPoint]:
    """The Qini curve at even shares of the rows."""
    share, gain, all_treated = next(_curves(1 - label, treated, uplift, np.ones((1, len(label)))))
    at = np.linspace(0, 1, points + 1)
    return [
        {"share": float(x), "prevented": float(y)}
        for x, y in zip(at, np.interp(at, share, gain) / all_treated, strict=True)
    ]


def _area(kept: np.ndarray, treated: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.array(
        [np.trapezoid(gain - gain[-1] * share, share) for share, gain, _ in _curves(kept, treated, score, weights)]
    )


def _curves(
    kept: np.ndarray, treated: np.ndarray, score: np.ndarray, weights: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Per line of weights: share of the rows taken, treated customers kept beyond those expected; all treated."""
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


def _one_risk(
    task: Task, values: np.ndarray, label: np.ndarray, treated: np.ndarray, groups: np.ndarray
) -> tuple[Arms, Risks]:
    """One risk, whose log odds the treatment shifts; and both risks of every row, by models not fitted to it."""
    selection, margin = _out_of_fold(task, values, label, groups)
    shifted = LogisticRegression(C=np.inf).fit(np.column_stack([margin, treated]), label)
    (slope, shift), base = shifted.coef_[0], shifted.intercept_[0]
    if slope <= FLAT:
        raise CannotScore("in the development months nothing tells who is at risk")
    untreated, with_it = (
        Candidate(selection.selected.estimator, _sigmoid(slope, base + arm * shift), selection.selected.parameters)
        for arm in (0, 1)
    )
    return (untreated, with_it), (untreated.probability(margin), with_it.probability(margin))


def _two_risks(
    task: Task, values: np.ndarray, label: np.ndarray, treated: np.ndarray, groups: np.ndarray
) -> tuple[Arms, Risks]:
    """The risk of each arm; and both risks of every row, by models not fitted to it."""
    (untreated, without), (with_it, risk_with_it) = (
        _risk_of_arm(task, values, label, treated == arm, groups) for arm in (0, 1)
    )
    return (untreated, with_it), (without, risk_with_it)


def _risk_of_arm(
    task: Task, values: np.ndarray, label: np.ndarray, in_arm: np.ndarray, groups: np.ndarray
) -> tuple[Candidate, np.ndarray]:
    """A model of the rows in the arm, and the risk of all rows."""
    selection, held_out = _out_of_fold(task, values[in_arm], label[in_arm], groups[in_arm])
    margin = selection.selected.margin(values)
    margin[in_arm] = held_out
    return selection.selected, selection.selected.probability(margin)


def _out_of_fold(task: Task, values: np.ndarray, label: np.ndarray, groups: np.ndarray) -> tuple[Selection, np.ndarray]:
    """The selected model, and its margin of every row, by fits that did not see the row's group."""
    folds = tuple(stratified_folds(label, groups, FOLDS, SEED))
    selection = select_model(task, values, label, groups, folds)
    margin = np.empty(len(label))
    margin[np.concatenate([held_out for _, held_out in folds])] = selection.held_out_margins[selection.choice]
    return selection, margin


def _sigmoid(slope: float, base: float) -> LogisticRegression:
    """A calibration with given coefficients."""
    sigmoid = LogisticRegression(C=np.inf).fit([[-1.0], [1.0]], [0, 1])
    sigmoid.coef_, sigmoid.intercept_ = np.array([[slope]]), np.array([base])
    return sigmoid
