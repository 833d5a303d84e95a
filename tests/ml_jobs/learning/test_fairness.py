"""A difference between groups is told from chance: at the level that is stated, and where there is one."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from scipy.special import expit

from ml_jobs.learning.fairness import FALSE_ALARMS, group_gaps, proxies

SHARE = 0.1
NAMES = np.array(["north", "south", "east", "west", "centre"], object)


def sample(seed: int, customers: int = 1_500, months: int = 3, groups: int = 2, bias: float = 0.0, level: float = 0.0):
    """Arguments of `group_gaps`, of customers over months.

    ``north`` is ranked ``bias`` too high, and has the outcome ``level`` (in log odds) above its probability.
    """
    random = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), months)
    group = np.repeat(random.integers(groups, size=customers), months)
    risk = np.repeat(random.normal(0, 1.2, customers), months) + random.normal(0, 0.3, customers * months) - 3
    label = (random.random(len(risk)) < expit(risk + level * (group == 0))).astype(int)
    return risk + bias * (group == 0), NAMES[group], customer, SHARE, (label, expit(risk))


@pytest.mark.parametrize("groups", [2, 5])
def test_where_nothing_differs_an_attribute_is_told_at_the_stated_level(groups):
    """400 fair models: so many alarms as one in twenty, give or take what 400 draws vary by."""
    alarms = sum(any(gap["low"] > 0 for gap in group_gaps(*sample(seed, groups=groups))) for seed in range(400))
    assert 0.01 * 400 <= alarms <= (FALSE_ALARMS + 0.02) * 400


def test_small_groups_raise_no_more_alarms_than_stated():
    samples = (sample(seed, customers=130, months=2) for seed in range(400))
    assert sum(any(gap["low"] > 0 for gap in group_gaps(*one)) for one in samples) <= (FALSE_ALARMS + 0.02) * 400


@pytest.mark.parametrize(
    ("planted", "gap"),
    [({"bias": 1.0}, "selection_gap"), ({"bias": 1.5}, "found_gap"), ({"level": 1.0}, "calibration_gap_of_groups")],
)
def test_what_differs_is_found_in_nearly_every_sample(planted, gap):
    found = 0
    for seed in range(50):
        lines = {line["gap"]: line for line in group_gaps(*sample(seed, customers=3_000, **planted))}
        found += lines[gap]["low"] > 0 and lines[gap]["higher"] == "north"
    assert found >= 45


def test_months_of_one_customer_are_no_new_evidence():
    """Ten copies of every row say what one says; as many customers would say more."""
    ranking, group, customer, share, came = sample(3, customers=600, months=1, bias=0.5)
    once = group_gaps(ranking, group, customer, share, came)
    ranking, group, label, probability = (np.repeat(array, 10) for array in (ranking, group, *came))
    again = group_gaps(ranking, group, np.repeat(customer, 10), share, (label, probability))
    others = group_gaps(ranking, group, np.arange(10 * len(customer)), share, (label, probability))
    for one, same, more in zip(once, again, others, strict=True):
        assert (same["low"], same["high"]) == pytest.approx((one["low"], one["high"]), abs=0.01)
        assert more["high"] - more["low"] < 0.5 * (one["high"] - one["low"])


def test_rates_are_those_of_fairlearn():
    ranking, group, _, _, (label, _) = arguments = sample(5, groups=2, bias=1.0)
    selected = (ranking >= np.quantile(ranking, 1 - SHARE)).astype(int)
    metrics = {"selection_gap": selection_rate, "found_gap": true_positive_rate}
    frame = MetricFrame(metrics=metrics, y_true=label, y_pred=selected, sensitive_features=group)
    lines = {gap["gap"]: gap for gap in group_gaps(*arguments)}
    for name in metrics:
        assert lines[name]["value"] == pytest.approx(frame.difference(method="between_groups")[name])
        assert lines[name]["higher_rate"] == pytest.approx(frame.by_group.loc[lines[name]["higher"], name])


def test_whom_nobody_knows_and_who_are_few_are_no_groups():
    ranking, group, customer, share, came = sample(1, bias=3.0)
    unknown = np.where(group == "north", "missing", group)
    few = np.where((group == "north") & (np.arange(len(group)) > 150), "south", group)
    for names in (unknown, few):
        assert group_gaps(ranking, names, customer, share, came) == []


def test_before_outcomes_are_known_there_is_what_is_selected_alone():
    *listed, came = sample(1, bias=3.0)
    (alone,) = group_gaps(*listed)
    assert alone == group_gaps(*listed, came)[0] and alone["gap"] == "selection_gap" and alone["low"] > 0.1


def test_a_proxy_is_a_feature_that_tells_a_group_from_the_others():
    random = np.random.default_rng(2)
    group = NAMES[random.integers(3, size=4_000)]
    values = np.column_stack([random.normal(size=4_000) + (group == "east"), random.normal(size=4_000)])
    told = proxies(values.astype(np.float32), ("told", "noise"), group)
    assert list(told) == ["told"] and told["told"] == pytest.approx(0.76, abs=0.03)
