"""The report holds every score against the hidden hazards, on the same untouched rows."""

import io
import json
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from sklearn.metrics import roc_auc_score

from lakehouse.errors import Stop
from lakehouse.lake.model_files import Known, newest_model
from ml_jobs.learning.calibration import is_off, top_decile
from ml_jobs.quality.oracle import has_hazard, hazards, oracle_auc
from ml_jobs.quality.report import quality_tables, score_quality
from ml_jobs.scores.scoring import score
from ml_jobs.scores.training import train
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, made_up_bank

TEST_MONTHS = [date(2025, 7, 31), date(2025, 8, 31), date(2025, 9, 30)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory, rows):
    settings = made_up_bank(tmp_path_factory.mktemp("reported"), *rows)
    with duckdb.connect(str(settings.build)) as engine:
        engine.sql("create schema raw")
        engine.sql(
            """
            create table raw.customer_xref as
            select distinct
                customer_key as party_key, customer_key, date '1900-01-01' as valid_from, cast(null as date) as valid_to
            from build_features.customer_features
            union all
            select 'cif:000001', 'cif:000000', date '2025-10-15', cast(null as date)
            """
        )
    train(settings, load_tasks()["churn"], BUSINESS_DATE)
    return settings


@pytest.fixture(scope="module")
def truth(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("truth")
    labels = rows[1]
    hidden = pa.table(
        {
            "customer_no": pc.replace_substring(labels["customer_key"], "cif:", ""),
            "as_of_date": labels["as_of_date"],
            "churn": labels["true_probability"],
        }
    )
    pq.write_table(hidden.filter(pc.not_equal(hidden["customer_no"], "000007")), folder / "hazards.parquet")
    return folder


def test_the_oracle_is_the_true_hazard_on_the_untouched_rows(settings, truth, rows):
    figures = oracle_auc(settings, truth, "churn")
    labels = rows[1]
    keep = pc.and_(
        pc.is_in(labels["as_of_date"], pa.array(TEST_MONTHS)), pc.not_equal(labels["customer_key"], "cif:000007")
    )
    test = labels.filter(keep)
    assert figures["rows"] == len(test) == 3 * 1_499
    assert figures["rows_without_hazard"] == 3
    assert figures["positives"] == pc.sum(test["label"]).as_py()
    expected = roc_auc_score(test["label"].to_numpy(), test["true_probability"].to_numpy())
    oracle = figures["roc_auc"]["oracle"]
    assert oracle["value"] == pytest.approx(expected)
    assert oracle["low"] < expected < oracle["high"]
    areas = {name: area["value"] for name, area in figures["roc_auc"].items()}
    assert areas["rule"] < areas["logistic_regression"] < areas["model"] < oracle["high"]
    ranked = pq.read_table(newest_model(settings, "churn") / "evaluation.parquet").to_pandas()
    ranked = ranked[ranked.customer_key != "cif:000007"].merge(test.to_pandas(), on=["customer_key", "as_of_date"])
    top = ranked[ranked.groupby("as_of_date").model.rank(ascending=False, method="first") <= 149]
    assert figures["top_decile"]["rows"] == len(top) == 3 * 149
    assert figures["top_decile"]["true"] == pytest.approx(top.true_probability.mean())
    assert figures["top_decile"]["promised"] == pytest.approx(top.model_probability.mean())
    share = figures["gini_of_oracle"]["model"]
    assert share["value"] == pytest.approx((2 * areas["model"] - 1) / (2 * areas["oracle"] - 1))
    assert 0.85 < share["low"] < share["value"] < share["high"]


def test_identity_is_that_of_the_day(settings, truth):
    keys = hazards(settings, truth, "churn", TEST_MONTHS[-1])["customer_key"].to_pylist()
    assert len(keys) == len(set(keys)) == 1_499
    assert "cif:000001" in keys


def test_the_report_has_figures_or_a_reason_for_every_task(settings, truth):
    score(settings, "tier_upgrade", Known.by(settings, date(2024, 12, 31)))
    report = score_quality(settings, truth)
    assert report["tier_downgrade"] == {"abstained": "never scored: run the pipeline first"}
    assert "month-ends have labels" in report["tier_upgrade"]["abstained"]
    churn = report["churn"]
    assert churn["oracle"] == oracle_auc(settings, truth, "churn")
    assert churn["test_months"]["as_of_dates"] == list(map(str, TEST_MONTHS))
    assert churn["figures"]["model"]["brier"]["value"] < churn["figures"]["base_rate"]["brier"]["value"]
    json.dumps(report, allow_nan=False)
    top = top_decile(churn["promises"])[0]
    assert not is_off(top) and top["low"] < churn["oracle"]["top_decile"]["true"] < top["high"]
    printed = io.StringIO()
    for table in quality_tables(report):
        Console(file=printed, width=200).print(table)
    line = next(line for line in printed.getvalue().split("top decile of the lists")[1].splitlines() if "churn" in line)
    assert "holds" in line and f"{top['promised']:.1%}" in line and f"{top['low']:.1%}-{top['high']:.1%}" in line
    assert f"{churn['oracle']['gini_of_oracle']['model']['value']:.2f}" in line


def test_a_bank_without_a_truth_has_its_figures_too(settings):
    assert "oracle" not in score_quality(settings)["churn"]


def test_a_foreign_truth_or_task_is_refused(settings, truth, tmp_path):
    table = pq.read_table(truth / "hazards.parquet")
    column = pa.array([f"x{number}" for number in table["customer_no"].to_pylist()])
    pq.write_table(table.set_column(0, "customer_no", column), tmp_path / "hazards.parquet")
    with pytest.raises(Stop, match="is it the truth of this bank"):
        oracle_auc(settings, tmp_path, "churn")
    with pytest.raises(Stop, match="loan is no task"):
        hazards(settings, truth, "loan", TEST_MONTHS[-1])
    with pytest.raises(Stop, match="tier_downgrade has no model"):
        oracle_auc(settings, truth, "tier_downgrade")


def test_the_truth_may_have_another_name_for_an_outcome(tmp_path):
    pq.write_table(
        pa.table({"customer_no": ["C1"], "churn": [0.1], "delinquency": [0.2]}), tmp_path / "hazards.parquet"
    )
    known = [has_hazard(tmp_path, task) for task in ("churn", "credit_warning", "lead_conversion")]
    assert known == [True, True, False]
