"""Training on a made-up bank whose hazards are known: close to the truth, repeatable, and blind to the future."""

from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import logit

from lakehouse.errors import Stop
from lakehouse.lake.model_files import Known, model_folder
from ml_jobs.errors import CannotScore
from ml_jobs.learning.metrics import auc
from ml_jobs.registry.card import html
from ml_jobs.registry.model import load
from ml_jobs.scores.data import feature_columns, read_labelled
from ml_jobs.scores.training import train
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, CUSTOMERS, made_up_bank

CHURN = load_tasks()["churn"]


@pytest.fixture(scope="module")
def model(bank):
    return train(bank, CHURN, BUSINESS_DATE)


@pytest.fixture(scope="module")
def judged_rows(bank, model):
    """The rows that no choice has seen, and their true probability."""
    test = [date.fromisoformat(day) for day in model.card["months"]["test"]["as_of_dates"]]
    rows = read_labelled(bank, CHURN, model.columns, tuple(test), BUSINESS_DATE)
    with duckdb.connect(str(bank.build), read_only=True) as engine:
        truth = engine.execute(
            """
            select true_probability from build_features.label_churn
            where list_contains(?, as_of_date) order by as_of_date, customer_key
            """,
            [test],
        ).fetchnumpy()["true_probability"]
    return rows, truth


def test_the_ranking_comes_close_to_the_truth_and_beats_the_rule(model, judged_rows):
    rows, truth = judged_rows
    once = np.ones((1, len(truth)))
    oracle, model_gini = (2 * auc(rows.label, score, once)[0] - 1 for score in (truth, model.margin(rows.values)))
    assert model_gini >= 0.85 * oracle
    figures = model.card["figures"]
    assert figures["model"]["roc_auc"]["value"] == pytest.approx((model_gini + 1) / 2)
    assert figures["model"]["roc_auc"]["low"] > figures["rule"]["roc_auc"]["high"]
    assert figures["model"]["roc_auc"]["value"] > figures["logistic_regression"]["roc_auc"]["value"]


def test_the_probability_is_that_of_the_hidden_hazard(model, judged_rows):
    rows, truth = judged_rows
    probability = model.probability(model.margin(rows.values))
    assert probability.mean() == pytest.approx(truth.mean(), rel=0.1)
    assert np.corrcoef(logit(probability), logit(truth))[0, 1] > 0.95
    assert (
        model.card["figures"]["model"]["log_loss"]["value"]
        < 0.8 * model.card["figures"]["base_rate"]["log_loss"]["value"]
    )


def test_the_bank_may_score_by_points_and_sees_what_that_costs(rows, tmp_path):
    """The made-up hazard is a sum of steps and slopes of two features, so a scorecard loses little."""
    points = type(CHURN).model_validate(
        CHURN.model_dump()
        | {"scorecard": {"trend_rate": 1, "tension_rate": 1}, "algorithm": "scorecard", "title": CHURN.title}
    )
    trained = train(made_up_bank(tmp_path, *rows), points, BUSINESS_DATE)
    card = trained.card
    assert card["model"] == "scorecard" and card["why"] == "the task file says so"
    assert set(card["points"]["features"]) == {"trend_rate", "tension_rate"}
    assert card["figures"]["model"] == card["figures"]["scorecard"]
    lost = card["gini_above_scorecard"]["hist_gradient_boosting"]
    areas = [card["figures"][name]["roc_auc"]["value"] for name in ("hist_gradient_boosting", "scorecard")]
    assert lost["value"] == pytest.approx(2 * (areas[0] - areas[1]))
    assert lost["low"] <= lost["value"] <= lost["high"] < 0.1


def test_the_promise_has_the_interval_of_the_sample_and_that_of_quarters(model):
    months = model.card["months"]["development"]["as_of_dates"]
    spread, top = model.card["quarters"]["decile 1"], model.card["promises"][0]
    assert spread["quarters"] == pytest.approx((len(months) + 2) / 3)
    assert 0 <= spread["deviation"] < 0.3 and 0 < spread["level_error"] < 0.3  # nothing moves these quarters
    assert top["part"] == "decile 1"
    assert top["quarter_low"] < top["low"] <= top["observed"] <= top["high"] < top["quarter_high"]
    page = html(model.card)
    assert "As quarters differ" in page and f"{top['quarter_low']:.1%}–{top['quarter_high']:.1%}" in page
    assert "As quarters differ" not in html({**model.card, "quarters": {}})


def test_training_again_elsewhere_gives_the_same_model(model, judged_rows, rows, tmp_path):
    shuffled = [table.take(np.random.default_rng(3).permutation(len(table))) for table in rows]
    again = train(made_up_bank(tmp_path, *shuffled), CHURN, BUSINESS_DATE)
    values = judged_rows[0].values
    assert (again.margin(values) == model.margin(values)).all()
    assert (again.probability(again.margin(values)) == model.probability(model.margin(values))).all()
    assert {**again.card, "model_sha256": None} == {**model.card, "model_sha256": None}


def absurd(labels: pa.Table, features: pa.Table, ripe_date: str) -> tuple[pa.Table, pa.Table]:
    """A second customer base, known from ``ripe_date``, in which the outcome hangs on noise alone."""
    column = features["customer_key"]
    keys = pa.compute.binary_join_element_wise("later", column, ":")
    planted = features.set_column(0, "customer_key", keys).set_column(
        features.column_names.index("noise_rate"),
        "noise_rate",
        pa.array(np.where(np.arange(len(features)) % 2, 50.0, -50.0)),
    )
    count = len(features)
    rows = pa.table(
        {
            "customer_key": keys,
            "as_of_date": features["as_of_date"],
            "horizon_days": pa.array(np.full(count, 90), pa.int32()),
            "ripe_date": pa.array(np.full(count, np.datetime64(ripe_date))),
            "label": pa.array(np.arange(count) % 2, pa.int32()),
            "true_probability": np.zeros(count),
        }
    ).cast(labels.schema)
    return pa.concat_tables([labels, rows]), pa.concat_tables([features, planted])


def test_a_label_that_ripened_after_the_training_date_is_never_used(model, judged_rows, rows, tmp_path):
    features, labels = rows
    values = judged_rows[0].values
    later = train(made_up_bank(tmp_path / "later", *absurd(labels, features, "2026-01-01")[::-1]), CHURN, BUSINESS_DATE)
    assert (later.margin(values) == model.margin(values)).all()
    assert later.card["figures"] == model.card["figures"]
    # The same rows, ripe in time, do change the model: the comparison above can fail.
    in_time = [day + np.timedelta64(90, "D") for day in features["as_of_date"].to_numpy()]
    planted_labels, planted_features = absurd(labels, features, "2026-01-01")
    ripe = np.r_[labels["ripe_date"].to_numpy().astype("datetime64[D]"), np.array(in_time, dtype="datetime64[D]")]
    planted_labels = planted_labels.set_column(3, "ripe_date", pa.array(ripe)).filter(
        pa.compute.less_equal(pa.array(ripe), pa.scalar(BUSINESS_DATE))
    )
    sooner = train(made_up_bank(tmp_path / "sooner", planted_features, planted_labels), CHURN, BUSINESS_DATE)
    assert not np.allclose(sooner.margin(values), model.margin(values), atol=0.1)


def test_a_model_in_the_lake_is_used_again_even_when_its_data_have_gone(bank, model, rows, tmp_path):
    settings = made_up_bank(tmp_path, *rows)
    folder = model_folder(settings, "churn", Known.by(settings, BUSINESS_DATE))
    train(settings, CHURN, BUSINESS_DATE)
    kept = (folder / "model.skops").read_bytes()
    settings.build.unlink()
    assert train(settings, CHURN, BUSINESS_DATE).card == load(folder, settings.token_secret).card
    assert (folder / "model.skops").read_bytes() == kept


def test_a_short_history_trains_nothing_and_leaves_nothing(rows, tmp_path):
    features, labels = rows
    early = labels.filter(pa.compute.less(labels["as_of_date"], pa.scalar(date(2024, 12, 1))))
    settings = made_up_bank(tmp_path, features, early)
    with pytest.raises(CannotScore, match="6 month-ends have labels that are ripe"):
        train(settings, CHURN, BUSINESS_DATE)
    assert not (settings.lake / "models").exists()


def test_month_ends_train_and_other_built_dates_do_not(bank, model, judged_rows, rows, tmp_path):
    features, labels = rows
    other_day = pa.array([date(2025, 9, 15)] * len(labels))
    daily = labels.set_column(1, "as_of_date", other_day).cast(labels.schema)
    daily = daily.slice(0, 500)
    settings = made_up_bank(tmp_path, features, pa.concat_tables([labels, daily]))
    again = train(settings, CHURN, BUSINESS_DATE)
    assert again.card["months"] == model.card["months"]


def test_a_large_bank_trains_on_a_sample_of_whole_customers_and_tests_on_all(bank, model, rows, tmp_path):
    dates = (date(2024, 6, 30), date(2024, 7, 31))
    sample = read_labelled(bank, CHURN, model.columns, dates, BUSINESS_DATE, share=0.25)
    first, second = (set(sample.between(day, day).customer) for day in dates)
    assert first == second
    assert len(first) == pytest.approx(CUSTOMERS / 4, rel=0.2)
    capped = train(made_up_bank(tmp_path, *rows), CHURN.model_copy(update={"training_rows": 13_000}), BUSINESS_DATE)
    assert capped.card["customers_sampled"] == pytest.approx(13_000 / 16_500, abs=1e-6)
    evaluation = pq.read_table(model_folder(bank, "churn", Known.by(bank, BUSINESS_DATE)) / "evaluation.parquet")
    assert evaluation.num_rows == capped.card["months"]["test"]["rows"] == 3 * CUSTOMERS
    assert capped.card["figures"]["model"]["roc_auc"]["value"] > 0.8


def test_text_and_infinite_features_are_refused_by_name(rows, tmp_path):
    features, labels = rows
    settings = made_up_bank(tmp_path, features.append_column("city_name", pa.array(["x"] * len(features))), labels)
    with pytest.raises(Stop, match="city_name must be numbers"):
        feature_columns(settings, CHURN)
    trend = features["trend_rate"].to_numpy().copy()
    trend[7] = np.inf
    settings = made_up_bank(tmp_path, features.set_column(5, "trend_rate", pa.array(trend)), labels)
    with pytest.raises(Stop, match="trend_rate is infinite"):
        train(settings, CHURN, BUSINESS_DATE)
