"""Probabilities of staying: a planted hazard is recovered, and concordance is that of lifelines."""

import numpy as np
import pandas as pd
import pytest
from lifelines.utils import concordance_index
from scipy.special import expit

from ml_jobs.errors import CannotScore
from ml_jobs.learning.survival import concordance, evaluate_survival, fit_survival, follow_up, survival_probabilities
from ml_jobs.task_file import load_tasks

TASK = load_tasks()["churn_survival"]
CUSTOMERS, MONTHS, JUDGED = 2_000, 20, 14


@pytest.fixture(scope="module")
def bank() -> tuple[np.ndarray, ...]:
    """Customers with a lasting trait and a noise; each month some leave, by the trait."""
    random = np.random.default_rng(8)
    trait, noise = random.normal(size=(2, CUSTOMERS)).astype(np.float32)
    hazard = expit(-3.5 + trait)
    last = np.minimum(random.geometric(hazard) - 1, MONTHS - 1)  # the last month-end at which they are there
    present = [(who, month) for who in range(CUSTOMERS) for month in range(last[who] + 1)]
    customer, month = np.array(present).T
    return customer.astype(str), month, np.stack([trait, noise], axis=1)[customer], hazard[customer]


def of(bank, landmarks: np.ndarray, end: int):
    customer, month, values, _ = bank
    present = pd.DataFrame({"customer": customer, "month": month})
    return follow_up(customer[landmarks], month[landmarks], values[landmarks], present, end)


def test_a_planted_hazard_is_recovered_on_a_later_period(bank) -> None:
    _, month, _, hazard = bank
    model = fit_survival(TASK, of(bank, month < JUDGED, JUDGED))
    later = month == JUDGED
    backtest = evaluate_survival(model, of(bank, later, MONTHS - 1), TASK.horizons)
    assert [line["days"] for line in backtest["horizons"]] == [30, 60, 90]  # five months were followed
    for line in backtest["horizons"]:
        assert line["observed"]["low"] - 0.01 < line["expected"] < line["observed"]["high"] + 0.01
    assert backtest["concordance"]["low"] > 0.6
    half_year = model.survival(model.risk.margin(bank[2][later]), (182,))[:, 0]
    truth = (1 - hazard[later]) ** 6
    assert abs(half_year.mean() - truth.mean()) < 0.02
    assert np.corrcoef(half_year, truth)[0, 1] > 0.95


def test_columns_that_say_nothing_do_not_make_it_surer(bank) -> None:
    customer, month, values, hazard = bank
    noise = np.random.default_rng(5).normal(size=(CUSTOMERS, 120)).astype(np.float32)[customer.astype(int)]
    noisy = customer, month, np.column_stack([values, noise]), hazard
    model = fit_survival(TASK.model_copy(update={"training_rows": 4000}), of(noisy, month < JUDGED, JUDGED))
    margin = model.risk.margin(noisy[2][month == JUDGED])
    top = margin >= np.quantile(margin, 0.9)
    promised = 1 - model.survival(margin[top], (91,)).mean()
    truth = (1 - (1 - hazard[month == JUDGED][top]) ** 3).mean()
    assert promised == pytest.approx(truth, rel=0.2)


def test_nobody_knows_what_comes_after_the_end(bank) -> None:
    rows = of(bank, bank[1] < JUDGED, JUDGED)
    assert rows.months.max() == JUDGED
    assert (rows.months[~rows.has_left] == (JUDGED - bank[1][bank[1] < JUDGED])[~rows.has_left]).all()


def test_staying_never_gets_likelier_and_begins_at_one() -> None:
    margin = np.array([-6.0, -1.0, 2.0])
    stays = survival_probabilities(margin, (0.3, 1.1, -0.4, 0.0), (0, 30, 60, 90, 180, 365))
    assert (stays[:, 0] == 1).all()
    assert (np.diff(stays, axis=1) < 0).all() and (np.diff(stays[:, 1:], axis=0) < 0).all()


def test_concordance_is_that_of_lifelines() -> None:
    random = np.random.default_rng(3)
    months, risk = random.integers(1, 7, size=500), random.integers(0, 20, size=500).astype(float)
    has_left = random.random(500) < 0.4
    months[~has_left] = 6  # who stays was followed for six months
    ours = concordance(months, has_left, risk, np.ones((1, 500)))[0]
    assert ours == pytest.approx(concordance_index(months, -risk, has_left))


def test_without_leavers_there_is_no_score(bank) -> None:
    rows = of(bank, bank[1] < JUDGED, JUDGED)
    with pytest.raises(CannotScore, match="left within a quarter"):
        fit_survival(TASK, rows.take(np.flatnonzero(~rows.has_left)))
