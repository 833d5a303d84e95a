"""A scorecard's points say all of its model, never fall where a feature says more risk, and cost what the card says."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from lakehouse.language import ENGLISH
from ml_jobs.learning.scorecard import (
    BANDS,
    POINTS,
    POINTS_PER_LOG_ODDS,
    SCORECARD,
    UNBOUND,
    band_of,
    band_text,
    changes,
    fit_scorecard,
    point_table,
    score_of,
)
from ml_jobs.task_file import Task, load_tasks

COLUMNS = ("late_rate", "deposits", "noise", "left_out")
TASK = Task.model_validate(
    load_tasks()["credit_warning"].model_dump()
    | {"scorecard": {"late_rate": 1, "deposits": -1, "noise": 1}, "title": {"en": "In arrears", "zh": "逾期"}}
)


@pytest.fixture(scope="module")
def drawn():
    random = np.random.default_rng(4)
    values = random.normal(size=(6_000, 4)).astype(np.float32)
    log_odds = -3 + 1.2 * values[:, 0] - 0.8 * np.maximum(values[:, 1], -1) + 2 * values[:, 3]
    values[random.random(6_000) < 0.1, 1] = np.nan
    return values, (random.random(6_000) < expit(log_odds)).astype(np.int8)


@pytest.fixture(scope="module")
def fitted(drawn):
    folds = ((np.arange(4_000), np.arange(4_000, 5_000)),)
    return fit_scorecard(TASK, COLUMNS, drawn[0][:5_000], drawn[1][:5_000], np.arange(5_000), folds)[0][SCORECARD]


def rows(values):
    return [dict(zip(COLUMNS, map(float, row), strict=True)) for row in values]


def test_the_points_say_all_of_the_model(drawn, fitted):
    table = point_table(fitted.estimator, COLUMNS)
    margin = fitted.margin(drawn[0][5_000:])
    points = np.array([score_of(table, row) for row in rows(drawn[0][5_000:])])
    expected = POINTS - POINTS_PER_LOG_ODDS * (np.log(50) + margin)
    assert np.abs(points - expected).max() <= 0.5 * (1 + len(table["features"])) + 1e-6
    assert roc_auc_score(drawn[1][5_000:], -points) == pytest.approx(roc_auc_score(drawn[1][5_000:], margin), abs=0.005)


def test_more_risk_never_has_more_points_and_what_is_left_out_has_none(fitted):
    table = point_table(fitted.estimator, COLUMNS)["features"]
    assert set(table) <= set(TASK.scorecard) and "left_out" not in table
    for name, bands in table.items():
        points = [band["points"] for band in bands[:-1]]
        assert points == sorted(points, reverse=TASK.scorecard[name] > 0)
        assert min(band["points"] for band in bands) == 0 and len(points) <= BANDS
    assert max(band["points"] for band in table["late_rate"]) > 20


def test_a_value_lies_in_one_band(fitted):
    bands = point_table(fitted.estimator, COLUMNS)["features"]["late_rate"]
    edge = bands[0]["high"]
    assert band_of(bands, edge) == bands[0] and band_of(bands, np.nextafter(edge, np.inf)) == bands[1]
    assert band_of(bands, 1e9) == bands[-2] and band_of(bands, float("nan")) == bands[-1]


def test_a_change_adds_the_points_that_it_says(drawn, fitted):
    table = point_table(fitted.estimator, COLUMNS)
    risky = min(rows(drawn[0]), key=lambda row: score_of(table, row))
    found = changes(table, risky, 20)
    assert found and found == sorted(found, key=lambda change: (change["gain"], change["feature"]))
    for change in found:
        low, high = change["to"]["low"], change["to"]["high"]
        moved = risky | {change["feature"]: high if high is not None else low + 1}
        assert score_of(table, moved) - score_of(table, risky) == change["gain"] >= 20
    assert changes(table, risky, 10_000) == []


def test_no_value_earns_no_more_than_the_best_band_and_the_cost_is_shown(drawn):
    values, label = drawn[0][:5_000].copy(), drawn[1][:5_000].copy()
    unknown = np.isnan(values[:, 1])
    label[unknown & (np.arange(5_000) % 20 > 0)] = 0  # who has no deposits on record is hardly ever late
    folds = ((np.arange(4_000), np.arange(4_000, 5_000)),)
    candidates, _ = fit_scorecard(TASK, COLUMNS, values, label, np.arange(5_000), folds)
    bound, free = (point_table(candidates[name].estimator, COLUMNS)["features"] for name in (SCORECARD, UNBOUND))
    best = max(band["points"] for band in free["deposits"][:-1])
    assert free["deposits"][-1]["points"] > best + 20
    for name, bands in bound.items():
        assert bands[-1]["points"] <= max(band["points"] for band in bands[:-1]), name
    assert bound["deposits"][-1] == free["deposits"][-1] | {"points": bound["deposits"][-2]["points"]}
    areas = {name: roc_auc_score(label, candidate.margin(values)) for name, candidate in candidates.items()}
    assert areas[SCORECARD] < areas[UNBOUND]
    margin = candidates[SCORECARD].margin(values)
    points = np.array([score_of({"base": 0, "features": bound}, row) for row in rows(values)])
    assert np.ptp(points + POINTS_PER_LOG_ODDS * margin) <= 1 + len(bound)


def test_what_is_known_is_one_band_where_only_that_matters(drawn):
    """Whoever has no value is late; what the value is, says nothing in the direction that the task gives."""
    values, label = drawn[0][:5_000], drawn[1][:5_000].copy()
    label[np.isnan(values[:, 1]) & (np.arange(5_000) % 2 > 0)] = 1
    task = TASK.model_copy(update={"scorecard": TASK.scorecard | {"deposits": 1}})
    folds = ((np.arange(4_000), np.arange(4_000, 5_000)),)
    candidates, _ = fit_scorecard(task, COLUMNS, values, label, np.arange(5_000), folds)
    bands = point_table(candidates[SCORECARD].estimator, COLUMNS)["features"]["deposits"]
    assert [band_text(band, ENGLISH) for band in bands] == ["any value", "no value"]
    assert bands[0]["points"] > 20 and bands[1]["points"] == 0


def test_where_no_value_is_no_safer_nothing_is_changed(drawn):
    folds = ((np.arange(4_000), np.arange(4_000, 5_000)),)
    candidates, _ = fit_scorecard(TASK, COLUMNS, drawn[0][:5_000], drawn[1][:5_000], np.arange(5_000), folds)
    assert list(candidates) == [SCORECARD]
