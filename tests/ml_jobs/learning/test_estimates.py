"""What a score is worth is foretold from its probabilities, where these are right."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml_jobs.learning.estimates import auc_interval, expected_auc

RANDOM = np.random.default_rng(5)


@pytest.mark.parametrize("decimals", [1, 12], ids=["many ties", "no ties"])
def test_the_estimate_is_the_mean_of_what_comes(decimals):
    stated = np.clip(RANDOM.beta(1, 6, 1_000).round(decimals), 0.01, 0.99)
    came = [roc_auc_score(RANDOM.random(1_000) < stated, stated) for _ in range(100)]
    assert expected_auc(stated) == pytest.approx(np.mean(came), abs=3 * np.std(came) / np.sqrt(100))


def test_each_pair_counts_once_and_nobody_is_a_pair_with_himself():
    stated = RANDOM.beta(1, 4, 60).round(1)
    pairs = [(stated[i], stated[j]) for i in range(60) for j in range(60) if i != j]
    weights = [one * (1 - other) for one, other in pairs]
    right = [weight * ((one > other) + (one == other) / 2) for weight, (one, other) in zip(weights, pairs, strict=True)]
    assert expected_auc(stated) == pytest.approx(sum(right) / sum(weights))


def test_where_nobody_differs_there_is_no_estimate():
    assert np.isnan(expected_auc(np.array([0.4])))
    assert np.isnan(expected_auc(np.zeros(5)))


def test_the_interval_covers_what_comes():
    stated = RANDOM.beta(1, 6, 1_000)
    inside = 0
    for _ in range(100):
        label = RANDOM.random(1_000) < stated
        interval = auc_interval(roc_auc_score(label, stated), int(label.sum()), int((~label).sum()))
        inside += interval.low <= expected_auc(stated) <= interval.high
    assert inside >= 90
