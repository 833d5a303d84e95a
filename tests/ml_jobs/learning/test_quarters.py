"""A promise for a quarter to come: the interval that knows quarters holds it, and does not by sheer width."""

import numpy as np
import pytest
from scipy.special import expit, logit

from ml_jobs.learning.calibration import Promise, alarms, promise, verdict
from ml_jobs.learning.quarters import quarter_spread

DEVELOPMENT, GAP, TEST, STEP, BANKS = 11, 2, 3, 3, 200
SMALL, LARGE = 300, 1_500  # customers in the top decile


def outcomes_of(random: np.random.Generator, deviation: float, customers: int, month_ends: int) -> np.ndarray:
    """(month-ends, customers) whether it happens in the three months after, as to a quarter; months move everybody."""
    monthly = logit(1 - 0.75 ** (1 / STEP)) + np.sqrt(STEP) * deviation * random.normal(size=month_ends + 2)
    happens = random.random((month_ends + 2, customers)) < expit(monthly)[:, None]
    return np.stack([happens[at : at + STEP].any(axis=0) for at in range(month_ends)]).astype(int)


def promise_of(random: np.random.Generator, deviation: float, customers: int = SMALL, times: float = 1.0) -> Promise:
    """Of a made-up bank whose quarters differ: what its development months promise, times so much, and what came."""
    came = outcomes_of(random, deviation, customers, DEVELOPMENT + GAP + TEST)
    known, level = came[:DEVELOPMENT], came[:DEVELOPMENT].mean()
    month = np.repeat(np.arange(DEVELOPMENT), customers)
    spread = quarter_spread(known.ravel(), np.full(known.size, level), month, STEP)
    tested = came[-TEST:].ravel()
    return promise("decile 1", tested, np.full(len(tested), times * level), np.tile(np.arange(customers), TEST), spread)


@pytest.mark.parametrize("deviation", [0.0, 0.15, 0.4])
def test_nineteen_in_twenty_quarters_lie_inside_though_the_sample_alone_holds_far_fewer(deviation: float) -> None:
    random = np.random.default_rng(1)
    verdicts = [verdict(promise_of(random, deviation)) for _ in range(BANKS)]
    assert 0.91 <= np.mean([said != "off" for said in verdicts]) <= 0.985
    if deviation:
        assert np.mean([said == "holds" for said in verdicts]) < 0.8


@pytest.mark.parametrize("times", [1.4, 1 / 1.4])
@pytest.mark.parametrize("customers", [SMALL, LARGE])
def test_a_promise_that_is_off_by_two_fifths_alarms_though_quarters_differ(times: float, customers: int) -> None:
    random = np.random.default_rng(2)
    lines = [promise_of(random, 0.05, customers, times) for _ in range(100)]
    assert np.mean([alarms(line) for line in lines]) > (0.98 if customers == LARGE else 0.8)
    if customers == LARGE:
        assert np.mean([verdict(line) == "off" for line in lines]) > 0.9


def test_quarters_that_differ_a_little_alarm_nobody_where_the_sample_alone_would() -> None:
    random = np.random.default_rng(5)
    lines = [promise_of(random, 0.12, LARGE) for _ in range(100)]
    assert np.mean([alarms(line) for line in lines]) < 0.15
    assert np.mean([verdict(line) == "holds" for line in lines]) < 0.6


def test_equal_quarters_add_the_error_of_the_level_alone() -> None:
    label = np.tile([1, 0, 0, 0], 12 * 25)
    spread = quarter_spread(label, np.full(len(label), 0.25), np.repeat(np.arange(12), 100), 3)
    assert spread == pytest.approx({"quarters": 14 / 3, "deviation": 0, "level_error": np.sqrt(3 / (1_200 * 3 / 16))})


def test_quarters_that_differ_have_their_deviation() -> None:
    random = np.random.default_rng(3)
    month = np.repeat(np.arange(16), SMALL)
    variances = []
    for _ in range(BANKS):
        came = outcomes_of(random, 0.3, SMALL, 16).ravel()
        spread = quarter_spread(came, np.full(len(came), came.mean()), month, STEP)
        assert spread is not None
        variances.append(spread["deviation"] ** 2)
    assert np.sqrt(np.mean(variances)) == pytest.approx(0.3, rel=0.15)


@pytest.mark.parametrize(("months", "is_known"), [(6, False), (7, True)])
def test_of_fewer_than_three_quarters_nothing_is_said(months: int, is_known: bool) -> None:
    label = np.tile([1, 0], months * 20)
    spread = quarter_spread(label, np.full(len(label), 0.5), np.repeat(np.arange(months), 40), 3)
    assert (spread is not None) is is_known
