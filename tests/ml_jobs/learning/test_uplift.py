"""The Qini coefficient by its definition, and planted effects that learning finds, or rightly does not."""

import re
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from scipy.special import expit, logit

from lakehouse.lake.model_files import Known
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.learning.metrics import bootstrap_weights, interval
from ml_jobs.learning.uplift import average_effect, fit_uplift, qini, qini_curve
from ml_jobs.quality.report import quality_tables, task_quality
from ml_jobs.registry.model import load
from ml_jobs.scores.scoring import Scored, score
from ml_jobs.task_file import Phrase, Task
from tests.ml_jobs.made_up import BUSINESS_DATE, made_up_bank

ROWS = 4_000
TASK = Task(
    task="kept", table="features.kept", labels="features.label_kept", entity="customer_key", as_of_date="as_of_date",
    label="label", positive=1, horizon_days=90, treatment="is_treated", title=Phrase(en="Stays", zh="留存"),
)  # fmt: skip
ONCE = np.ones((1, ROWS))


def trial(effect, seed: int = 4) -> tuple[np.ndarray, ...]:
    """Features, outcomes, arms and true uplift; ``effect`` is what the treatment adds to the log odds, by features."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(ROWS, 4)).astype(np.float32)
    treated = (random.random(ROWS) < 0.6).astype(np.int8)
    risk = -1.5 + values[:, 0]
    without, with_it = expit(risk), expit(risk + effect(values))
    label = (random.random(ROWS) < np.where(treated == 1, with_it, without)).astype(np.int8)
    return values, label, treated, without - with_it


def learned(values, label, treated):
    return fit_uplift(TASK, values, label, treated, np.arange(ROWS))


def estimated(fitted, values) -> np.ndarray:
    without, with_it = (risk.probability(risk.margin(values)) for risk in (fitted.untreated, fitted.treated))
    return without - with_it


def test_one_effect_on_the_log_odds_is_found_by_the_simple_candidate() -> None:
    values, label, treated, truth = trial(lambda values: -1.0)
    fitted = learned(values, label, treated)
    assert fitted.choice == "one_risk", fitted.why
    uplift = estimated(fitted, values)
    assert abs(uplift.mean() - truth.mean()) < 0.03
    assert np.corrcoef(uplift, truth)[0, 1] > 0.9


def test_an_effect_on_some_only_is_found_by_learning_the_arms_apart() -> None:
    def effect(values: np.ndarray) -> np.ndarray:
        return np.where(values[:, 1] > 0, -3.0, 0.5)

    fitted = learned(*trial(effect)[:3])
    assert fitted.choice == "two_risks", fitted.why
    values, label, treated, truth = trial(effect, seed=5)  # not seen
    uplift = estimated(fitted, values)
    assert uplift[values[:, 1] > 0].mean() > 0.1 > 0.02 > uplift[values[:, 1] <= 0].mean()
    ours, by_risk, best = (
        qini(label, treated, score, ONCE)[0] for score in (uplift, fitted.untreated.margin(values), truth)
    )
    assert by_risk < 0.7 * best < ours < best


def test_where_the_treatment_does_nothing_there_is_no_score() -> None:
    values, label, treated, _ = trial(lambda values: 0.0)
    with pytest.raises(CannotScore, match="the interval holds 0"):
        learned(values, label, treated)


def test_qini_is_one_for_a_perfect_order_and_nothing_for_none() -> None:
    _, label, treated, truth = trial(lambda values: -1.0)
    kept = 1 - label
    assert qini(label, treated, 2 * (kept == treated) + kept, ONCE)[0] == 1
    assert qini(label, treated, np.zeros(ROWS), ONCE)[0] == pytest.approx(0)
    assert qini(label, treated, truth, ONCE)[0] > 0 > qini(label, treated, -truth, ONCE)[0]


def test_qini_is_the_area_that_its_definition_says() -> None:
    _, label, treated, truth = trial(lambda values: -1.0)

    def area(score: np.ndarray) -> float:
        order = np.argsort(-score, kind="stable")
        gain = [0.0]
        for taken in range(1, ROWS + 1):
            arm, kept = treated[order[:taken]], 1 - label[order[:taken]]
            control = kept[arm == 0]
            gain.append(kept[arm == 1].sum() - (control.mean() if len(control) else 0) * (arm == 1).sum())
        return np.trapezoid(np.array(gain) - np.linspace(0, gain[-1], ROWS + 1), dx=1 / ROWS)

    jittered = truth + 1e-9 * np.random.default_rng(0).random(ROWS)
    kept = 1 - label
    perfect = 2 * (kept == treated) + kept
    expected = area(jittered) / np.trapezoid(*_by_groups(perfect, label, treated))
    assert qini(label, treated, jittered, ONCE)[0] == pytest.approx(expected)


def _by_groups(score, label, treated):
    """Gain above the straight line, and share, after each group of equal score."""
    gain, share = [0.0], [0.0]
    for value in sorted(set(score), reverse=True):
        taken = score >= value
        arm, kept = treated[taken], 1 - label[taken]
        control = kept[arm == 0]
        gain.append(kept[arm == 1].sum() - (control.mean() if len(control) else 0) * (arm == 1).sum())
        share.append(taken.mean())
    return np.array(gain) - gain[-1] * np.array(share), share


def test_the_average_effect_and_the_end_of_the_curve_agree() -> None:
    _, label, treated, truth = trial(lambda values: -1.0)
    effect = interval(average_effect(label, treated, bootstrap_weights(np.arange(ROWS))))
    assert effect.low < truth.mean() < effect.high
    assert qini_curve(label, treated, truth)[-1] == {"share": 1.0, "prevented": pytest.approx(effect.value)}


@pytest.fixture(scope="module")
def campaigns(tmp_path_factory, rows) -> Settings:
    """The made-up bank with a campaign every quarter, in which a call takes 1.5 off the log odds of leaving."""
    _, labels = rows
    settings = made_up_bank(tmp_path_factory.mktemp("campaigns"), *rows)
    random = np.random.default_rng(6)
    quarterly = labels.filter(pc.is_in(pc.month(labels["as_of_date"]), pa.array([3, 6, 9, 12])))
    treated = (random.random(len(quarterly)) < 0.5).astype(np.int32)
    risk = logit(quarterly["true_probability"].to_numpy()) - 1.5 * treated
    outcome = (random.random(len(quarterly)) < expit(risk)).astype(np.int32)
    assigned = quarterly.set_column(quarterly.column_names.index("label"), "label", pa.array(outcome))
    assigned = assigned.append_column("is_treated", pa.array(treated))
    with duckdb.connect(str(settings.build)) as engine:
        engine.sql("create table build_features.label_uplift_retention as from assigned")
    return settings


def test_scores_of_a_treatment_are_effects_and_the_kept_model_gives_them_again(campaigns: Settings, rows) -> None:
    scored = score(campaigns, "uplift_retention", Known.by(campaigns, BUSINESS_DATE))
    assert isinstance(scored, Scored), scored
    scores = pq.read_table(scored.path, partitioning=None).to_pandas()
    assert scores["probability"].is_monotonic_decreasing and scores["probability"].between(-1, 1).all()
    trend = rows[0].filter(pc.equal(rows[0]["as_of_date"], BUSINESS_DATE)).to_pandas().set_index("customer_key")
    assert scores["probability"].corr(scores["customer_key"].map(trend["trend_rate"])) > 0.5  # the risk's main driver
    (folder,) = (campaigns.lake / "models" / "uplift_retention").glob("2025-12-31-*")
    model = load(folder, campaigns.token_secret)
    values = np.stack([trend.loc[scores["customer_key"], name].to_numpy(float) for name in model.columns], axis=1)
    assert np.allclose(model.margin(values.astype(np.float32)), scores["probability"], atol=1e-12)
    card = (folder / "card.html").read_text()
    assert "of the treated kept" in card and "Qini curve" in card
    chinese = (folder / "card_zh.html").read_text()
    assert 'href="card_zh.html"' in card and 'href="card.html"' in chinese
    heads = [head for head in re.findall(r"<(?:h1|h2|th|title)[^>]*>([^<]+)<", chinese) if head.strip() != "ROC AUC"]
    assert len(heads) > 10
    assert [head for head in heads if not re.search(r"[一-鿿]", head)] == []


def test_the_report_holds_the_model_against_risk_and_the_true_effect(campaigns: Settings, rows, tmp_path: Path) -> None:
    score(campaigns, "uplift_retention", Known.by(campaigns, BUSINESS_DATE))
    labels = rows[1]
    with duckdb.connect(str(campaigns.build)) as engine:
        engine.sql("create schema if not exists raw")
        engine.sql(
            "create or replace table raw.customer_xref as select distinct customer_key as party_key, customer_key, "
            "date '1900-01-01' as valid_from, cast(null as date) as valid_to from build_features.customer_features"
        )
    untreated = labels["true_probability"].to_numpy()
    campaign_month = pa.array(np.array(labels["as_of_date"]) + np.timedelta64(28, "D"))
    truth = {
        "customer_no": pc.replace_substring(labels["customer_key"], "cif:", ""),
        "as_of_date": campaign_month,
        "untreated": untreated,
        "treated": expit(logit(untreated) - 1.5),
    }
    pq.write_table(pa.table(truth), tmp_path / "treatment_effects.parquet")
    quality = task_quality(campaigns, tmp_path, "uplift_retention")
    areas = {name: area["value"] for name, area in quality["qini"].items()}
    assert areas["uplift"] > 0 and areas["random"] == 0
    assert quality["qini"]["oracle (true effect)"]["high"] > areas["uplift"]
    assert quality["average_effect"]["low"] < quality["true_effect"] < quality["average_effect"]["high"]
    assert any("calls kept" in str(part.title) for part in quality_tables({"uplift_retention": quality}))
