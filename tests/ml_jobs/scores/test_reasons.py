"""Reasons for people: what they may name, and that the sentence, the model and the data say the same."""

import csv
from dataclasses import replace
from statistics import median_low
from types import SimpleNamespace

import numpy as np
import pytest

from lakehouse.settings import PROJECT
from ml_jobs.learning.shapley import REASONS, shapley_values
from ml_jobs.scores import reasons as module
from ml_jobs.scores.data import read_features
from ml_jobs.scores.reasons import LEAST_DIFFERENCE_RATE, STEPS, Rule, reasons, rules, saying_columns
from ml_jobs.scores.training import train
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, CUSTOMERS

CHURN = load_tasks()["churn"]
SEED = PROJECT / "dbt_project" / "seeds" / "reason_phrases.csv"


@pytest.fixture(scope="module")
def model(bank):
    return train(bank, CHURN, BUSINESS_DATE)


@pytest.fixture
def today(bank, model, monkeypatch):
    """The made-up features of the day, all of which mean something to people but the last."""
    made_up = dict.fromkeys(("trend_rate", "tension_rate", "noise_rate"), Rule("ratio", True, np.inf))
    known = rules() | made_up
    monkeypatch.setattr(module, "rules", lambda: known)
    return read_features(bank, CHURN, model.columns, BUSINESS_DATE)


def test_a_reason_differs_from_similar_customers_and_the_score_would_be_lower_with_their_value(model, today):
    """Of all made-up customers: the value beside the median of those of the same tier, and the model asked again."""
    assert len(today.customer) == CUSTOMERS >= 1_000
    why = reasons(model, today)
    contribution, _ = shapley_values(model.candidate.estimator, today.values)
    margin = model.margin(today.values)
    tier = today.column("star_tier")
    typical = {
        (name, group): median_low(values[(tier == group) & ~np.isnan(values)].tolist())
        for name, values in zip(today.columns, today.values.T, strict=True)
        for group in np.unique(tier)
        if not np.isnan(values).all()
    }
    seen = 0
    for place in range(REASONS):
        rows = np.flatnonzero(why.feature[:, place] >= 0)
        feature = why.feature[rows, place]
        instead = today.values.copy()
        instead[rows, feature] = why.reference[rows, place]
        assert (model.margin(instead)[rows] < margin[rows]).all()
        assert (contribution[rows, feature] > 0).all()
        for row, column in zip(rows, feature, strict=True):
            name, value, reference = today.columns[column], today.values[row, column], why.reference[row, place]
            assert why.value[row, place] == value
            assert reference == pytest.approx(typical[name, tier[row]])
            assert abs(value - reference) >= LEAST_DIFFERENCE_RATE * max(abs(value), abs(reference))
            seen += 1
    assert seen > CUSTOMERS


def test_both_directions_are_named(model, today):
    why = reasons(model, today)
    is_reason = why.feature >= 0
    assert 0.05 < (why.value[is_reason] > why.reference[is_reason]).mean() < 0.95


def test_what_means_nothing_to_people_is_no_reason(model, today, monkeypatch):
    named = {today.columns[place] for place in np.unique(reasons(model, today).feature) if place >= 0}
    assert {"trend_rate", "tension_rate"} <= named
    silent = Rule("ratio", is_reason=False, capped_at=np.inf)
    known = module.rules() | {"trend_rate": silent}
    monkeypatch.setattr(module, "rules", lambda: known)
    left = {today.columns[place] for place in np.unique(reasons(model, today).feature) if place >= 0}
    assert "trend_rate" not in left and "age_years" not in left and "tension_rate" in left


def test_a_feature_without_words_is_no_reason(bank, model, today, monkeypatch):
    known = module.rules()
    monkeypatch.setattr(module, "rules", lambda: {name: known[name] for name in known if name != "tension_rate"})
    assert model.columns.index("tension_rate") not in reasons(model, today).feature


def test_people_hear_the_share_where_the_model_learns_from_its_distance_to_the_usual(model, today, monkeypatch):
    """The code, the value and the comparison are those of the column that says the feature."""
    known = module.rules() | {"trend_share": Rule("share", True, np.inf)}
    monkeypatch.setattr(module, "rules", lambda: known)
    monkeypatch.setattr(module, "said_by", lambda: {"trend_rate": "trend_share"})
    at = today.columns.index("trend_rate")
    assert saying_columns(today.columns) == ("trend_share",)
    share = 0.3 + 0.1 * today.values[:, at]
    why = reasons(model, today, replace(today, columns=("trend_share",), values=share[:, None]))
    row, place = np.nonzero(why.feature == at)
    assert why.codes[at] == "trend_share" and len(row) > 100
    assert (why.value[row, place] == share[row]).all()
    assert (why.reference[row, place] == np.float32(median_low(share.tolist()))).all()
    contrary = replace(today, columns=("trend_share",), values=0.3 - 0.1 * today.values[:, [at]])
    assert at not in reasons(model, today, contrary).feature


def test_a_missing_value_is_no_reason(model, today):
    missing = replace(today, values=np.where(np.arange(len(today.columns)) == 0, np.nan, today.values))
    why = reasons(model, missing)
    assert 0 not in why.feature
    assert not np.isnan(why.value[why.feature >= 0]).any() and not np.isnan(why.reference[why.feature >= 0]).any()


def test_a_small_group_is_compared_with_the_next_tiers_not_with_everybody(model, today):
    values = today.values.copy()
    tier, at = today.columns.index("star_tier"), today.columns.index("trend_rate")
    values[:5, tier] = 7
    values[5:105, tier] = 5
    values[:5, at] = 50.0
    why = reasons(model, replace(today, values=values))
    place = np.argwhere(why.feature[:5] == at)
    assert len(place)
    similar = np.float32(median_low(values[:105, at].tolist()))
    assert similar != np.float32(median_low(values[:, at].tolist()))
    assert all(why.reference[row, column] == similar for row, column in place)


def test_enterprises_are_not_compared_with_persons_while_there_are_enough():
    """Of 40 enterprises five have seven stars: they are compared with all enterprises; three alone, with everybody."""
    is_enterprise = np.repeat([1.0, 0.0], [40, 200])
    tier = np.concatenate([np.full(5, 7.0), np.full(35, 2.0), np.full(200, 7.0)])
    amount = np.where(is_enterprise == 1, 100.0, 5.0)
    rows = SimpleNamespace(
        values=np.column_stack([is_enterprise, tier, amount]), columns=("is_enterprise", "star_tier", "amount")
    )
    rows.column = lambda name: rows.values[:, rows.columns.index(name)]
    assert (module.Similar.of(rows).reference(slice(0, 5))[:, 2] == 100).all()
    rows.values = rows.values[37:]
    assert (module.Similar.of(rows).reference(slice(0, 3))[:, 2] == 5).all()


def test_long_lists_are_read_in_chunks(model, today, monkeypatch):
    whole = reasons(model, today)
    monkeypatch.setattr(module, "CHUNK", 400)
    assert np.array_equal(reasons(model, today).feature, whole.feature)


def test_every_unit_has_its_rounding():
    with SEED.open(encoding="utf-8") as file:
        assert {line["unit"] for line in csv.DictReader(file)} == STEPS.keys()


def test_a_difference_that_rounding_hides_is_no_reason():
    values, reference = np.array([[0.504, 0.6]], np.float32), np.array([[0.5, 0.5]])
    shown = module._is_shown(("merchant_outflow_share_180d", "cash_outflow_share_180d"), values, reference)  # noqa: SLF001
    assert shown.tolist() == [[False, True]]


def test_days_beyond_the_cap_are_alike():
    assert rules()["days_since_salary"].capped_at == 180
    values = np.array([[180.0], [3.0]], np.float32)
    shown = module._is_shown(("days_since_salary",), values, np.array([[200.0], [200.0]]))  # noqa: SLF001
    assert shown.tolist() == [[False], [True]]
