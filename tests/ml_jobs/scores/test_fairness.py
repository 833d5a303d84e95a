"""What happens to a model that treats groups too differently: it is refused, or fitted without their proxies."""

import csv
import json
import shutil
from datetime import date

import duckdb
import pyarrow.parquet as pq
import pytest

from lakehouse.lake.model_files import Known, model_folder, monitoring_path, promotion_path
from lakehouse.warehouse import seeds
from ml_jobs.errors import CannotScore
from ml_jobs.registry.card import html
from ml_jobs.registry.decision import refuse_unfair
from ml_jobs.registry.fairness_limits import SEED, fairness_limits
from ml_jobs.scores.promotion import champion, decision
from ml_jobs.scores.scoring import Abstained, Scored, score
from ml_jobs.scores.training import train
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, deliver, made_up_bank, made_up_rows

CHURN = load_tasks()["churn"]
MONTH_BEFORE = date(2025, 11, 30)
WIDE = {"largest_selection_gap": "1", "largest_found_gap": "1", "largest_calibration_gap": "1"}
PROXY = "noise_rate"  # tells men from women, in both banks


def limits(monkeypatch, folder, **changed):
    """The seed with other values for churn and gender; None: without that row."""
    shutil.copytree(seeds.FOLDER, folder)
    seed = seeds.load_seeds()[SEED]
    rows = [row | changed if (row["model"], row["attribute"]) == ("churn", "gender") else row for row in seed.rows()]
    with (folder / f"{SEED}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(seed.columns))
        writer.writeheader()
        writer.writerows(row for row in rows if row["attribute"] is not None)
    monkeypatch.setattr(seeds, "FOLDER", folder)


def bank(folder, seed: int, is_unfair: bool):
    """A bank whose feature ``noise_rate`` tells men from women; where it is unfair, women leave far more often."""
    features, labels = made_up_rows(customers=1_000, seed=seed)
    settings = made_up_bank(folder, features, labels)
    with duckdb.connect(str(settings.build)) as engine:
        engine.sql(f"""
            create or replace table build_features.customer_features as
            select features.* replace ({PROXY} + case when gender = 'F' then 2.5 else 0 end as {PROXY})
            from build_features.customer_features as features inner join build_marts.dim_customer using (customer_key)
        """)
        if is_unfair:
            engine.sql("""
                create or replace table build_features.label_churn as
                select labels.* replace (
                    case when gender = 'F' and hash(customer_key || as_of_date) % 3 = 0 then 1 else label end as label
                )
                from build_features.label_churn as labels inner join build_marts.dim_customer using (customer_key)
            """)
    return settings


@pytest.fixture(scope="module")
def unfair(tmp_path_factory):
    return bank(tmp_path_factory.mktemp("unfair"), 1, is_unfair=True)


@pytest.fixture
def anew(unfair, tmp_path):
    """The unfair bank, without a model."""
    without = shutil.ignore_patterns("models", "scores")
    shutil.copytree(unfair.lake, tmp_path / "lake", ignore=without)
    return unfair.model_copy(update={"lake": tmp_path / "lake"})


@pytest.fixture
def fair_model(anew, monkeypatch, tmp_path):
    """The unfair bank, where a model scored a month ago since the limits were wide; they are narrow again."""
    deliver(anew, MONTH_BEFORE, "2025-11-30", load="daily")
    with monkeypatch.context() as context:
        limits(context, tmp_path / "wide", **WIDE)
        assert isinstance(score(anew, "churn", Known.by(anew, MONTH_BEFORE)), Scored)
    deliver(anew, BUSINESS_DATE, "2025-12-31", load="daily")
    return anew


def figures(settings, day: date) -> list[dict]:
    """The figures of groups by gender of a date."""
    table = pq.read_table(monitoring_path(settings, "churn", Known.by(settings, day)))
    return [line for line in table.to_pylist() if line["feature"].startswith("(score) gender ")]


def test_an_unfair_model_is_not_promoted_and_says_why_everywhere(anew):
    known = Known.by(anew, BUSINESS_DATE)
    outcome = score(anew, "churn", known)
    assert isinstance(outcome, Abstained)
    assert outcome.reason.startswith("the challenger treats groups too differently: gender: F ")
    decided = json.loads(promotion_path(anew, "churn", known).read_text())
    assert decided["champion"] is None and decided["unfair"][0]["attribute"] == "gender"
    alerts = [line for line in figures(anew, BUSINESS_DATE) if line["is_alert"]]
    assert {line["model_version"] for line in alerts} == {known.model_version}
    assert all(line["observed_low_rate"] > line["threshold"] for line in alerts)
    card = json.loads((model_folder(anew, "churn", known) / "card.json").read_text())
    assert any(text.startswith("gender: F ") for text in card["warnings"])
    for language, words in (("en", "beyond</b>"), ("zh", "超限</b>")):
        assert words in html(card, language)
    before = {path: path.read_bytes() for path in anew.lake.rglob("*") if path.is_file()}
    assert isinstance(score(anew, "churn", known), Abstained)
    assert {path: path.read_bytes() for path in anew.lake.rglob("*") if path.is_file()} == before


def test_the_model_in_use_goes_on_where_its_challenger_is_unfair(fair_model):
    known = Known.by(fair_model, BUSINESS_DATE)
    scored = score(fair_model, "churn", known)
    before = Known.by(fair_model, MONTH_BEFORE).model_version
    assert set(pq.read_table(scored.path)["model_version"].to_pylist()) == {before}
    alerts = {line["model_version"] for line in figures(fair_model, BUSINESS_DATE) if line["is_alert"]}
    of_the_day = {("measured_date", BUSINESS_DATE), ("model_version", before)}
    (listed,) = (line for line in figures(fair_model, BUSINESS_DATE) if of_the_day <= set(line.items()))
    assert (listed["measure"], listed["is_alert"]) == ("selection_gap", True)
    assert alerts == {before, known.model_version}  # the one in use is beyond the narrow limit, too


def test_the_bank_may_cut_the_list_without_what_tells_groups_apart(anew, monkeypatch, tmp_path):
    limits(monkeypatch, tmp_path / "seeds", remedy="without_proxies", largest_calibration_gap="1")
    model = champion(anew, CHURN, Known.by(anew, BUSINESS_DATE))
    unfairness = model.card["unfairness"]
    assert list(unfairness["proxies"]) == [PROXY] and PROXY not in model.columns
    assert model.card["model"] == "logistic_regression" and model.card["warnings"] == []
    assert model.card["figures"]["model"]["roc_auc"]["value"] < unfairness["roc_auc_before"]
    gaps = {gap["gap"]: gap for gap in model.card["group_gaps"]["gender"]}
    assert gaps["selection_gap"]["low"] < 0.05 < unfairness["before"][0]["low"]
    page = html(model.card, "zh")
    assert f"<code>{PROXY}</code>" in page and "名单选中" in page


def test_a_fair_model_of_the_same_sample_is_promoted(tmp_path):
    fair = bank(tmp_path / "fair", 1, is_unfair=False)
    known = Known.by(fair, BUSINESS_DATE)
    assert isinstance(score(fair, "churn", known), Scored)
    lines = figures(fair, BUSINESS_DATE)
    assert {line["measure"] for line in lines} == {"selection_gap", "found_gap", "calibration_gap_of_groups"}
    assert [line["measure"] for line in lines if line["measured_date"] == BUSINESS_DATE] == ["selection_gap"]
    assert not any(line["is_alert"] for line in lines)


@pytest.mark.full  # above, one bank of each kind; the level over 400 samples is in tests/ml_jobs/learning
@pytest.mark.parametrize("seed", range(2, 10))
def test_whatever_the_draw_the_unfair_model_is_caught_and_the_fair_one_is_not(seed, tmp_path):
    for is_unfair in (True, False):
        settings = bank(tmp_path / str(is_unfair), seed, is_unfair)
        decided = decision(settings, CHURN, Known.by(settings, BUSINESS_DATE))
        assert (decided["champion"] is None, bool(decided.get("unfair"))) == (is_unfair, is_unfair), decided["why"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"attribute": None}, "needs one row for churn and gender"),
        ({"attribute": "gendre"}, "needs one row for churn and gender"),
        ({"model": "chrun"}, "needs one row for churn and gender"),
        ({"attribute": "city"}, "needs one row for churn and gender"),
        ({"largest_found_gap": "5 %"}, "largest_found_gap is no number"),
        ({"largest_found_gap": "15"}, "largest_found_gap must be a share"),
        ({"remedy": "punish"}, "remedy must be one of refuse, withhold, without_proxies"),
    ],
)
def test_without_a_readable_limit_there_is_no_score(anew, monkeypatch, tmp_path, changed, why):
    limits(monkeypatch, tmp_path / "seeds", **changed)
    assert why in score(anew, "churn", Known.by(anew, BUSINESS_DATE)).reason
    with pytest.raises(CannotScore, match=r"dbt_project/seeds/fairness_limits\.csv"):
        train(anew, CHURN, BUSINESS_DATE)


def test_a_limit_of_an_attribute_that_is_not_compared_is_refused(monkeypatch):
    with pytest.raises(CannotScore, match="names age_years, gender, city, which churn does not compare"):
        fairness_limits(CHURN.model_copy(update={"fairness": {}}))


def test_every_score_that_compares_groups_has_its_limits():
    for task in load_tasks().values():
        assert set(fairness_limits(task)) == set(task.fairness)
    assert {row["model"] for row in seeds.load_seeds()[SEED].rows()} <= set(load_tasks())


def test_a_decision_against_the_challenger_keeps_its_own_reason():
    decided = {"challenger": "new", "incumbent": "old", "champion": "old", "why": "its ROC AUC is too low"}
    gap = {"gap": "selection_gap", "higher": "F", "lower": "M", "rows": 200, "higher_rate": 0.5, "lower_rate": 0.1}
    card = {"group_gaps": {"gender": [gap | {"value": 0.4, "low": 0.3, "high": 0.5}]}}
    strict = fairness_limits(CHURN)
    assert refuse_unfair(decided, card, strict) == decided
    refused = refuse_unfair({**decided, "champion": "new"}, card, strict)
    assert refused["champion"] == "old" and "at least 30.0 points apart, and the limit is 5.0" in refused["why"]
