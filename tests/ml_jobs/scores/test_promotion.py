"""Which model scores: decided by rule, once, and from the deliveries alone."""

import json
from datetime import date

import pytest

from lakehouse.lake.model_files import Known, promotion_path
from ml_jobs.errors import CannotScore
from ml_jobs.scores.promotion import champion, decision
from ml_jobs.task_file import Promotion, load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, deliver, made_up_bank

CHURN = load_tasks()["churn"]
MONTH_BEFORE = date(2025, 11, 30)
HOLDS = {"part": "decile 1", "rows": 450, "promised": 0.25, "observed": 0.24, "low": 0.2, "high": 0.28}
BROKEN = {**HOLDS, "promised": 0.4}
NO_BETTER = {"value": -0.001, "low": -0.003, "high": 0.001}
BETTER = {"value": -0.01, "low": -0.015, "high": -0.005}


@pytest.fixture(scope="module")
def settings(tmp_path_factory, rows):
    """A bank that was built at two month-ends."""
    settings = made_up_bank(tmp_path_factory.mktemp("promoted"), *rows)
    deliver(settings, MONTH_BEFORE, "2025-11-30", load="daily")
    deliver(settings, BUSINESS_DATE, "2025-12-31", load="daily")
    return settings


def test_a_challenger_that_is_no_worse_takes_over_from_the_month_before(settings):
    decided = decision(settings, CHURN, Known.by(settings, BUSINESS_DATE))
    assert decided["incumbent"] == Known.by(settings, MONTH_BEFORE).model_version
    assert decided["champion"] == decided["challenger"] == Known.by(settings, BUSINESS_DATE).model_version
    assert decided["top_decile"][0]["part"] == decided["incumbent_top_decile"][0]["part"] == "decile 1"
    assert decided["log_loss_difference"]["low"] < 0.01 and "not lower beyond the interval" in decided["why"]
    before = json.loads(promotion_path(settings, "churn", Known.by(settings, MONTH_BEFORE)).read_text())
    assert (before["champion"], before["why"]) == (decided["incumbent"], "there was no model in use")


def test_a_decision_stands(settings):
    known = Known.by(settings, BUSINESS_DATE)
    decision(settings, CHURN, known)
    kept = promotion_path(settings, "churn", known).read_bytes()
    assert champion(settings, CHURN, known).card["model_version"] == known.model_version
    assert promotion_path(settings, "churn", known).read_bytes() == kept


def test_a_challenger_that_is_worse_does_not_take_over(settings, monkeypatch):
    known = Known.by(settings, BUSINESS_DATE)
    incumbent = decision(settings, CHURN, known)["incumbent"]
    promotion_path(settings, "churn", known).unlink()
    worse = {
        "log_loss_difference": {"value": 0.02, "low": 0.01, "high": 0.03},
        "incumbent_roc_auc": 0.9,
        "incumbent_top_decile": [HOLDS],
    }
    monkeypatch.setattr("ml_jobs.scores.promotion.compare", lambda *_: worse)
    decided = decision(settings, CHURN, known)
    assert decided["champion"] == incumbent
    assert "the model in use is lower beyond the interval" in decided["why"]
    assert champion(settings, CHURN, known).card["model_version"] == incumbent
    promotion_path(settings, "churn", known).unlink()


@pytest.mark.parametrize(
    ("challenger", "incumbent", "difference", "stays"),
    [
        (BROKEN, HOLDS, NO_BETTER, True),
        (BROKEN, HOLDS, BETTER, False),
        (BROKEN, BROKEN, NO_BETTER, False),
        (HOLDS, BROKEN, NO_BETTER, False),
    ],
)
def test_a_challenger_whose_top_decile_is_off_replaces_no_model_whose_promise_holds(
    settings, monkeypatch, challenger, incumbent, difference, stays
):
    known = Known.by(settings, BUSINESS_DATE)
    version = known.model_version
    before = decision(settings, CHURN, known)["incumbent"]
    promotion_path(settings, "churn", known).unlink()
    alone = {"challenger": version, "incumbent": before, "challenger_roc_auc": 0.9, "top_decile": [challenger]}
    monkeypatch.setattr("ml_jobs.scores.promotion.decide_alone", lambda *_: alone)
    compared = {"log_loss_difference": difference, "incumbent_roc_auc": 0.9, "incumbent_top_decile": [incumbent]}
    monkeypatch.setattr("ml_jobs.scores.promotion.compare", lambda *_: compared)
    decided = decision(settings, CHURN, known)
    promotion_path(settings, "churn", known).unlink()
    assert decided["champion"] == (before if stays else version)
    assert ("decile 1 was promised 40.0 %" in decided["why"]) is stays


def test_a_poor_model_does_not_score(settings):
    strict = CHURN.model_copy(update={"promotion": Promotion(minimum_roc_auc=0.99)})
    for day in (BUSINESS_DATE, MONTH_BEFORE):
        promotion_path(settings, "churn", Known.by(settings, day)).unlink(missing_ok=True)
    with pytest.raises(CannotScore, match=r"below 0.99 \(promotion.minimum_roc_auc\)"):
        champion(settings, strict, Known.by(settings, BUSINESS_DATE))
