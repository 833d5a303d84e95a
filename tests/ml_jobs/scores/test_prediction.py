"""The score contract: columns, order, bands, and reasons that add up."""

from dataclasses import replace

import numpy as np
import pyarrow.compute as pc
import pytest
import shap
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier

from lakehouse.catalog import SCORES
from ml_jobs.learning.shapley import REASONS, shapley_values, top_reasons
from ml_jobs.scores.data import read_features
from ml_jobs.scores.prediction import score_table
from ml_jobs.scores.reasons import reasons
from ml_jobs.scores.training import train
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, CUSTOMERS

CHURN = load_tasks()["churn"]


@pytest.fixture(scope="module")
def model(bank):
    return train(bank, CHURN, BUSINESS_DATE)


@pytest.fixture(scope="module")
def today(bank, model):
    return read_features(bank, CHURN, model.columns, BUSINESS_DATE)


@pytest.fixture(scope="module")
def table(model, today):
    return score_table(CHURN, model, today, model.margin(today.values))


def test_columns_are_those_that_the_warehouse_attaches(table):
    assert table.schema == SCORES.arrow_schema


def test_every_customer_has_one_rank_and_the_highest_comes_first(table, today):
    assert sorted(table["customer_key"].to_pylist()) == sorted(today.customer)
    assert table["rank"].to_pylist() == list(range(1, CUSTOMERS + 1))
    probability = table["probability"].to_numpy()
    assert (np.diff(probability) <= 0).all()
    assert ((probability > 0) & (probability < 1)).all()


def test_bands_are_shares_of_the_list(table):
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(table["band"]).to_pylist()}
    assert counts == {"high": 75, "medium": 225, "low": 1200}
    assert pc.max(table.filter(pc.equal(table["band"], "high"))["rank"]).as_py() == 75


def test_equal_scores_are_ranked_by_key(model, today):
    alike = replace(today, values=np.repeat(today.values[:1], CUSTOMERS, axis=0), customer=today.customer[::-1])
    assert score_table(CHURN, model, alike, model.margin(alike.values))["customer_key"].to_pylist() == sorted(
        today.customer
    )


def test_contributions_add_up_to_the_margin(model, today):
    contribution, base = shapley_values(model.candidate.estimator, today.values)
    assert contribution.shape == today.values.shape
    assert np.abs(contribution.sum(axis=1) + base - model.margin(today.values)).max() < 1e-9


@pytest.mark.parametrize("leaves", [2, 5, 8])
def test_contributions_are_those_of_shap(leaves):
    random = np.random.default_rng(leaves)
    values = random.normal(size=(3_000, 6)).astype(np.float32)
    values[random.random(values.shape) < 0.1] = np.nan
    label = random.random(3_000) < expit(np.nan_to_num(values[:, 0] * values[:, 1] - 2 * values[:, 2]))
    trees = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=leaves, early_stopping=False).fit(values, label)
    explainer = shap.TreeExplainer(trees)
    contribution, base = shapley_values(trees, values[:200])
    assert np.abs(contribution).max() > 0.1
    assert np.abs(contribution - explainer.shap_values(values[:200])).max() < 1e-9
    assert base == pytest.approx(explainer.expected_value.item(), abs=1e-9)


def test_every_customer_has_the_reasons_of_its_own_row(table, model, today):
    """How they are chosen: test_reasons.py."""
    why = reasons(model, today)
    of_customer = {key: position for position, key in enumerate(today.customer)}
    for row in table.to_pylist()[:50] + table.to_pylist()[-50:]:
        at = of_customer[row["customer_key"]]
        for place in range(REASONS):
            code, value, reference = (row[f"reason_{place + 1}_{part}"] for part in ("code", "value", "reference"))
            if why.feature[at, place] < 0:
                assert (code, value, reference) == (None, None, None)
            else:
                expected = (model.columns[why.feature[at, place]], why.value[at, place], why.reference[at, place])
                assert (code, value, reference) == expected


def test_long_lists_are_explained_in_chunks(model, today, monkeypatch):
    whole = top_reasons(model.candidate.estimator, today.values)
    monkeypatch.setattr("ml_jobs.learning.shapley.CHUNK", 400)
    for chunked, expected in zip(top_reasons(model.candidate.estimator, today.values), whole, strict=True):
        assert (chunked == expected).all()
    assert not whole[1].all() and whole[1].any()
