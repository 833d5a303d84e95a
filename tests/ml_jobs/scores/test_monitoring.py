"""What monitoring keeps, what alarms it, and the retraining that follows: once, and from the deliveries alone."""

import json
import shutil
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from lakehouse.lake.model_files import Known, monitoring_path, promotion_path, retraining_path
from ml_jobs.scores.promotion import retrain
from ml_jobs.scores.scoring import score
from tests.ml_jobs.made_up import deliver, made_up_bank

MONTH_END = date(2025, 11, 30)
BEFORE, ALARMED, AFTER = (
    date(2025, 12, 10),
    date(2025, 12, 29),
    date(2025, 12, 30),
)  # outcomes of September come on the 29th


@pytest.fixture(scope="module")
def settings(tmp_path_factory, rows):
    """A bank that scored the end of November and drifts in December, with a month of outcomes coming in on the 29th."""
    features, labels = rows
    last = features.filter(pc.equal(features["as_of_date"], pa.scalar(MONTH_END)))
    moved = last.set_column(
        last.column_names.index("trend_rate"), "trend_rate", pc.add(last["trend_rate"], pa.scalar(3.0))
    )
    days = [
        moved.set_column(1, "as_of_date", pa.array([day] * len(moved))).cast(features.schema)
        for day in (BEFORE, ALARMED, AFTER)
    ]
    settings = made_up_bank(tmp_path_factory.mktemp("monitored"), pa.concat_tables([features, *days]), labels)
    for day in (MONTH_END, BEFORE, ALARMED, AFTER):
        deliver(settings, day, str(day), load="daily")
    for day in (MONTH_END, BEFORE, ALARMED):
        score(settings, "churn", Known.by(settings, day))
    return settings


def figures(settings, day: date) -> dict[tuple[str, str], dict]:
    table = pq.read_table(monitoring_path(settings, "churn", Known.by(settings, day)))
    return {(line["measure"], line["feature"]): line for line in table.to_pylist()}


def test_figures_of_a_date_name_what_has_drifted(settings):
    quiet, drifted = figures(settings, MONTH_END), figures(settings, BEFORE)
    assert not any(line["is_alert"] for line in quiet.values())
    alerts = {key for key, line in drifted.items() if line["is_alert"]}
    assert alerts == {("stability_index", "trend_rate"), ("stability_index", "(score)")}
    assert drifted["missing_rise", "tension_rate"]["value"] == pytest.approx(0, abs=0.02)
    assert drifted["stability_index", "noise_rate"]["threshold"] == 0.25


def test_what_the_scores_are_worth_is_said_before_there_are_outcomes(settings):
    lines = figures(settings, MONTH_END)
    of_all = lines["estimated_roc_auc", "(score)"]
    assert of_all["threshold"] == 0.6 and not of_all["is_alert"]
    assert 0.6 < of_all["value"] < 1


def test_without_new_outcomes_an_alert_retrains_nothing(settings):
    assert not retraining_path(settings, "churn", Known.by(settings, BEFORE)).exists()
    assert retrain(settings, "churn", BEFORE) is None


def test_an_alert_with_new_outcomes_retrains_whoever_comes_first(settings, tmp_path):
    due = json.loads(retraining_path(settings, "churn", Known.by(settings, ALARMED)).read_text())
    assert due["why"][0].startswith("stability_index") and due["news"] == "outcomes of 2025-09-30"
    copied = tmp_path / "lake"
    shutil.copytree(settings.lake, copied)
    by_scoring = score(settings, "churn", Known.by(settings, AFTER)).path
    assert by_scoring.name.startswith(f"{ALARMED}-")
    challenger = Known.by(settings, ALARMED, ALARMED)
    decided = json.loads(promotion_path(settings, "churn", challenger).read_text())
    assert decided["challenger"] == challenger.model_version
    assert decided["incumbent"] == Known.by(settings, MONTH_END).model_version

    shutil.rmtree(settings.lake)
    copied.rename(settings.lake)
    kept = pq.read_table(by_scoring, partitioning=None) if by_scoring.exists() else None
    assert kept is None and f"{decided['champion']} scores" in retrain(settings, "churn", ALARMED)
    assert score(settings, "churn", Known.by(settings, AFTER)).path == by_scoring


@pytest.mark.parametrize("came_true", ["as promised", "two fifths more", "all of them", "by lot"])
def test_the_promise_is_judged_once_its_outcomes_are_known(settings, came_true):
    scored = next((settings.lake / "scores" / "churn" / f"as_of_date={MONTH_END}").glob("*.parquet"))
    scores = pq.read_table(scored, columns=["customer_key", "probability"], partitioning=None).sort_by("customer_key")
    random = np.random.default_rng(3)
    chance, stated = random.random(len(scores)), scores["probability"].to_numpy()
    drawn = chance < stated
    outcome = {
        "as promised": drawn,
        "two fifths more": chance < 1.4 * stated,
        "all of them": np.ones_like(drawn),
        "by lot": random.permutation(drawn),
    }[came_true]
    came = pa.table({"customer_key": scores["customer_key"], "label": outcome.astype(np.int32)})
    with duckdb.connect(str(settings.build)) as engine:
        engine.execute(f"delete from build_features.label_churn where as_of_date = date '{MONTH_END}'")
        engine.register("came", came)
        engine.sql(
            f"""
            insert into build_features.label_churn
            select customer_key, date '{MONTH_END}', 90, date '{ALARMED}', label, 1.0 from came
            """
        )
    monitoring_path(settings, "churn", Known.by(settings, ALARMED)).unlink()
    for path in (settings.lake / "scores" / "churn" / f"as_of_date={ALARMED}").glob("*.parquet"):
        path.unlink()
    score(settings, "churn", Known.by(settings, ALARMED))
    lines = figures(settings, ALARMED)
    gap, top = lines["calibration_gap", "(score)"], lines["promise_gap", "(score) decile 1"]
    assert gap["measured_date"] == top["measured_date"] == MONTH_END
    assert gap["is_alert"] is (came_true in ("all of them", "two fifths more"))
    assert top["is_alert"] is (came_true != "as promised")
    assert top["row_count"] == len(scores) // 10
    assert top["promised_rate"] == pytest.approx(np.sort(scores["probability"].to_numpy())[-len(scores) // 10 :].mean())
    assert top["quarter_low_rate"] < top["observed_low_rate"] <= top["observed_rate"] <= top["observed_high_rate"]
    if came_true == "all of them":
        assert ("estimate_gap", "(score)") not in lines  # nobody stayed: there is no ranking to judge
    else:
        worth = lines["estimate_gap", "(score)"]
        assert worth["is_alert"] is (came_true == "by lot")
        assert worth["value"] == pytest.approx(abs(worth["promised_rate"] - worth["observed_rate"]))
        assert worth["observed_low_rate"] < worth["observed_rate"] < worth["observed_high_rate"]
    parts = [line for (measure, _), line in lines.items() if measure == "promise_gap"]
    assert len(parts) == 16 and not any(line["is_alert"] for line in parts if line is not top)
    assert lines["stability_index", "noise_rate"]["promised_rate"] is None
