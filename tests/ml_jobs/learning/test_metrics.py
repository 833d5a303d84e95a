"""The figures of a score equal scikit-learn's, and their intervals know that a customer's rows belong together."""

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from ml_jobs.learning.metrics import PROBABILISTIC, RANKING, auc, bootstrap_weights, score_metrics

RANDOM = np.random.default_rng(7)
TRUTH = expit(RANDOM.normal(-2, 1.5, size=4_000))
LABEL = (RANDOM.random(4_000) < TRUTH).astype(int)
ONCE = bootstrap_weights(np.arange(4_000), replicates=50)


def values(label, ranking, probability, weights=ONCE):
    return {name: figure.value for name, figure in score_metrics(label, ranking, probability, weights).items()}


@pytest.mark.parametrize("decimals", [1, 12], ids=["many ties", "no ties"])
def test_figures_equal_those_of_scikit_learn_in_every_replicate(decimals):
    score = np.clip(TRUTH.round(decimals), 0.01, 0.99)
    for weight in ONCE[:3]:
        metrics = values(LABEL, score, score, np.stack([weight, weight]))
        for name, expected in (
            ("roc_auc", roc_auc_score),
            ("pr_auc", average_precision_score),
            ("brier", brier_score_loss),
            ("log_loss", log_loss),
        ):
            assert metrics[name] == pytest.approx(expected(LABEL, score, sample_weight=weight), rel=1e-9), name
        assert auc(LABEL, score, weight[None])[0] == pytest.approx(metrics["roc_auc"])


def test_precision_and_lift_count_the_top_of_the_list():
    metrics = values(LABEL, TRUTH, None)
    top = LABEL[np.argsort(-TRUTH)[:200]]
    assert metrics["precision_5%"] == pytest.approx(top.mean())
    assert metrics["lift_5%"] == pytest.approx(top.mean() / LABEL.mean())
    assert set(metrics) == set(RANKING)


def test_a_constant_score_is_worth_nothing():
    constant = np.full(4_000, LABEL.mean())
    metrics = values(LABEL, constant, constant)
    assert metrics["roc_auc"] == 0.5
    assert metrics["lift_1%"] == metrics["lift_10%"] == pytest.approx(1)
    assert np.isnan(metrics["calibration_slope"])


def test_the_true_probability_is_calibrated_and_a_distorted_one_is_not():
    truth = score_metrics(LABEL, TRUTH, TRUTH, ONCE)
    assert set(truth) == {*RANKING, *PROBABILISTIC}
    assert truth["calibration_slope"].low < 1 < truth["calibration_slope"].high
    assert truth["calibration_error"].value < 0.02
    too_sure = values(LABEL, TRUTH, expit(2 * logit(TRUTH)))
    assert too_sure["calibration_slope"] == pytest.approx(truth["calibration_slope"].value / 2, rel=0.02)
    assert too_sure["calibration_error"] > 0.03


def test_a_perfect_score_does_not_break_the_calibration_slope():
    assert np.isfinite(values(LABEL, LABEL, LABEL.astype(float))["calibration_slope"])


def test_rows_of_one_customer_are_drawn_together():
    customer = np.repeat(np.arange(1_000), 4)
    weights = bootstrap_weights(customer, replicates=20)
    assert (weights[0] == 1).all()
    assert (weights.reshape(21, 1_000, 4) == weights[:, ::4, None]).all()
    assert (weights.sum(axis=1) == 4_000).all()


def test_repeating_a_customers_rows_adds_no_certainty():
    few = slice(0, 500)
    once = score_metrics(LABEL[few], TRUTH[few], None, bootstrap_weights(np.arange(500)))
    customer, label, score = (np.repeat(column, 5) for column in (np.arange(500), LABEL[few], TRUTH[few]))
    repeated = score_metrics(label, score, None, bootstrap_weights(customer))
    assert repeated["roc_auc"] == once["roc_auc"]
    assert once["roc_auc"].low < once["roc_auc"].value < once["roc_auc"].high


@pytest.mark.parametrize("rows", [25, 80, 400])
def test_the_interval_of_every_figure_holds_it_and_stays_in_its_range(rows):
    random = np.random.default_rng(rows)
    for _ in range(10):
        truth = expit(random.normal(-1, 1.5, size=rows))
        label = (random.random(rows) < truth).astype(int)
        label[:2] = 0, 1
        weights = bootstrap_weights(np.arange(rows) // 2, replicates=60)
        for name, figure in score_metrics(label, truth, truth, weights).items():
            assert figure.low <= figure.value <= figure.high, name
            assert name == "calibration_slope" or figure.low >= 0, name
            assert name.startswith(("lift", "log", "calibration_slope")) or figure.high <= 1, name
