"""Calibration: honest at the top over many draws, whatever the distortion, and not misled by the last months' luck."""

import numpy as np
import pytest
from scipy.special import expit

from ml_jobs.learning.calibration import is_off, promises, top_decile
from ml_jobs.learning.classifier import Candidate, fit_calibrator, select_model
from ml_jobs.task_file import load_tasks

TASK = load_tasks()["churn"]
DISTORTIONS = {
    "too sure": lambda log_odds: 1.8 * log_odds + 1.0,
    "too shy": lambda log_odds: 0.5 * log_odds - 2.0,
    "too sure at the top alone": lambda log_odds: log_odds + 0.8 * np.maximum(log_odds + 2, 0),
    "no better than rank": lambda log_odds: 5 * expit(log_odds + 2),
}


def drawn(random: np.random.Generator, customers: int = 1_000, months: int = 3):
    """Log odds of the truth, what came, and whose row it is: a customer's months resemble each other."""
    log_odds = np.repeat(random.normal(-3, 1.1, customers), months) + random.normal(0, 0.4, customers * months)
    label = (random.random(len(log_odds)) < expit(log_odds)).astype(np.int8)
    return log_odds, label, np.repeat(np.arange(customers), months)


@pytest.mark.parametrize("distort", DISTORTIONS.values(), ids=DISTORTIONS)
def test_the_top_decile_gets_what_it_is_promised_over_many_draws(distort):
    random = np.random.default_rng(11)
    off, errors = [], []
    for _ in range(20):
        log_odds, label, customer = drawn(random)
        calibrator = fit_calibrator(distort(log_odds), label, customer)
        log_odds, label, customer = drawn(random)
        margin = distort(log_odds)
        probability = Candidate(None, calibrator, {}).probability(margin)
        top = top_decile(promises(TASK, label, margin[None], probability[None], customer))[0]
        off.append(is_off(top))
        errors.append(top["promised"] - expit(log_odds[np.argsort(-margin)[: len(margin) // 10]]).mean())
    assert np.mean(off) <= 0.2  # both what came and what was learned have their chance
    assert abs(np.mean(errors)) < 0.015


def test_a_higher_margin_is_never_promised_less_and_the_unseen_no_more_than_the_seen():
    log_odds, label, customer = drawn(np.random.default_rng(12))
    candidate = Candidate(None, fit_calibrator(log_odds, label, customer), {})
    stated = candidate.probability(np.linspace(-20, 20, 500))
    assert (np.diff(stated) >= 0).all() and 0 < stated[0] < stated[-1] < 1
    assert stated[-1] == candidate.probability(np.array([log_odds.max()]))[0]
    assert candidate.calibration == "log odds, linear in three pieces"


def test_few_outcomes_leave_the_pieces_in_one_line():
    log_odds, label, customer = drawn(np.random.default_rng(13), customers=150, months=1)
    candidate = Candidate(None, fit_calibrator(log_odds, label, customer), {})
    inside = np.quantile(log_odds, [0.1, 0.45, 0.55, 0.85, 0.92, 0.99])
    stated = candidate.probability(inside)
    slopes = np.diff(np.log(stated / (1 - stated)))[::2] / np.diff(inside)[::2]
    assert label.sum() < 20 and np.ptp(slopes) < 0.6


def test_a_ranking_without_information_promises_the_base_rate():
    random = np.random.default_rng(14)
    label = (random.random(500) < 0.1).astype(np.int8)
    margin = np.abs(random.normal(size=500)) * np.where(label, -1, 1)
    candidate = Candidate(None, fit_calibrator(margin, label, np.arange(500)), {})
    assert candidate.is_uninformative and candidate.calibration == "sigmoid"
    assert candidate.probability(margin) == pytest.approx(label.mean(), abs=1e-6)


def test_the_luck_of_the_validation_rows_is_not_promised():
    """The last quarter has by chance three times the outcomes; all rows together know better."""
    random = np.random.default_rng(15)
    values = random.normal(size=(2_400, 3)).astype(np.float32)
    log_odds = -2.5 + values[:, 0] + np.where(np.arange(2_400) < 1_800, 0, 1.3)
    label = (random.random(2_400) < expit(log_odds)).astype(np.int8)
    folds = ((np.arange(1_800), np.arange(1_800, 2_400)),)
    selection = select_model(TASK, values, label, np.arange(2_400), folds)
    margin = selection.selected.margin(values)
    assert selection.selected.probability(margin).mean() == pytest.approx(label.mean(), rel=0.1)
    assert label[:1_800].mean() * 2 < label[1_800:].mean()
