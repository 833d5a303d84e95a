"""What is promised where a list is cut: intervals know customers, true probabilities hold, planted faults are told."""

import numpy as np
import pytest
from scipy.special import expit

from ml_jobs.learning.calibration import broken, in_top_decile, is_off, promises, share_interval, top_decile
from ml_jobs.task_file import load_tasks

TASK = load_tasks()["churn"]
ROWS, DRAWS = 3_000, 200


def drawn(random: np.random.Generator, times: float = 1.0):
    """A list of true probabilities, what came, and what was promised: the truth, times so much."""
    truth = expit(random.normal(-3, 1, size=ROWS))
    return (random.random(ROWS) < truth).astype(int), np.minimum(times * truth, 0.99)


def top_of(label, probability, customer=None):
    who = np.arange(len(label)) if customer is None else customer
    return top_decile(promises(TASK, label, probability[None], probability[None], who))[0]


@pytest.mark.parametrize(("times", "least", "most"), [(1.0, 0.0, 0.08), (1.6, 0.98, 1.0), (0.6, 0.98, 1.0)])
def test_a_top_decile_is_off_where_it_is_planted_and_hardly_ever_otherwise(times, least, most):
    random = np.random.default_rng(4)
    off = [is_off(top_of(*drawn(random, times))) for _ in range(DRAWS)]
    assert least <= np.mean(off) <= most


def test_an_interval_covers_the_true_share_though_a_customer_has_several_months():
    random = np.random.default_rng(5)
    customer = np.repeat(np.arange(300), 3)
    covered, naive = [], []
    true = expit(np.random.default_rng(0).normal(-2, 2, size=200_000)).mean()
    for _ in range(DRAWS):
        trait = expit(random.normal(-2, 2, size=300))
        label = (random.random(900) < np.repeat(trait, 3)).astype(int)
        for intervals, who in ((covered, customer), (naive, np.arange(900))):
            share, low, high = share_interval(label, who)
            assert low <= share <= high
            intervals.append(low <= true <= high)
    assert np.mean(covered) > 0.91 > np.mean(naive)


def test_months_of_one_customer_that_never_differ_are_one_row():
    label = (np.random.default_rng(6).random(400) < 0.2).astype(int)
    once, thrice = share_interval(label, np.arange(400)), share_interval(np.tile(label, 3), np.tile(np.arange(400), 3))
    assert once == pytest.approx(thrice)


@pytest.mark.parametrize("outcome", [0, 1])
def test_without_both_outcomes_the_interval_is_as_wide_as_the_customers_are_few(outcome):
    few, many = (share_interval(np.full(600, outcome), np.arange(600) % count) for count in (20, 600))
    assert all(low <= outcome <= high for _, low, high in (few, many))
    assert few[2] - few[1] > 0.15 > 0.01 > many[2] - many[1]


def test_a_list_is_cut_on_each_date_as_readers_get_it():
    day = np.repeat([0, 1], [100, 1_000])
    ranking = np.r_[np.arange(100) + 1e6, np.arange(1_000)]  # one list over both would take the first date alone
    assert in_top_decile(ranking, day)[:100].sum() == 10 and in_top_decile(ranking, day).sum() == 110
    probability = expit(ranking / 1e7)
    lines = promises(TASK, day, ranking[None], probability[None], np.arange(1_100), day)
    rows = {line["part"]: line["rows"] for line in lines}
    assert [rows[f"decile {number}"] for number in (1, 10)] == [110, 110]
    assert (rows["top 1%"], rows["top 5%"], rows["band high"], rows["band medium"]) == (11, 55, 55, 165)
    assert sum(rows[f"band {band}"] for band in ("high", "medium", "low")) == 1_100


def test_repeats_of_cross_validation_are_no_new_evidence():
    label, probability = drawn(np.random.default_rng(7))
    once = promises(TASK, label, probability[None], probability[None], np.arange(ROWS))
    repeated = promises(TASK, label, np.stack([probability] * 4), np.stack([probability] * 4), np.arange(ROWS))
    for one, other in zip(once, repeated, strict=True):
        assert one == pytest.approx(other)


def test_a_card_says_which_promise_is_broken():
    label, probability = drawn(np.random.default_rng(9), times=2.0)
    assert "decile 1 was promised" in broken([top_of(label, probability)])[0]
    label, probability = drawn(np.random.default_rng(9))
    assert broken([top_of(label, probability)]) == []
