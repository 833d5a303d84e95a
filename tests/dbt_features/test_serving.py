"""What readers see: scores by today's identity, reasons in words, one row per customer, and ops without raw text."""

import csv
import shutil
from datetime import date

import pytest
import yaml

from lakehouse.settings import PROJECT
from lakehouse.warehouse import run_dbt
from tests.conftest import temporary_settings
from tests.dbt.bank import Bank
from tests.dbt_features import year

LAST_DATE = year.DAYS[-1][0]
VARIABLES = {"business_date": LAST_DATE, "from_date": year.FIRST_DATE, "as_of_dates": [LAST_DATE]}


@pytest.fixture(scope="module")
def serving_bank(full_bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """The whole story with scores, a refused row and a run, built up to what readers see."""
    bank = Bank(tmp_path_factory.mktemp("serving"))
    shutil.copy(full_bank.path, bank.path)
    with bank.connect() as connection:
        connection.execute("update raw.delivery_outcomes set delivery_id = feed || '/' || period || '/v' || version")
    bank.insert(
        "raw.scores",
        _score("cif:2", "2024-11-30", 0.9),
        _score("cif:1", "2024-12-01", 0.1),
        _score("cif:2", "2024-12-01", 0.2),
        _score("cif:2b", "2024-12-01", 0.3),
    )
    bank.insert(
        "quarantine.rejects",
        dict(
            feed="customers",
            period="2024-12-01",
            version=1,
            file="c.dat",
            row=7,
            reason="invalid_type",
            raw_text="李|138",
        ),
    )
    bank.insert(
        "raw.run_steps",
        dict(
            run_id="r1",
            business_date=LAST_DATE,
            step="build",
            status="success",
            started_at="2024-12-03 20:00:00",
            ended_at="2024-12-03 20:01:30",
        ),
    )
    run_dbt(temporary_settings(bank.folder), "+tag:serving", VARIABLES)
    return bank


def _score(customer_key: str, as_of_date: str, probability: float) -> dict[str, object]:
    return dict(
        task="churn",
        customer_key=customer_key,
        as_of_date=as_of_date,
        horizon_days=90,
        probability=probability,
        band="low",
        rank=1,
        reason_1_code="days_since_txn",
        reason_1_value=12.0,
        reason_1_reference=2.0,
        model_name="trees",
        model_version="2024-11-30-0",
        feature_version="1",
        scored_at="2024-12-01 22:00:00",
    )


def test_scores_are_kept_as_scored_and_read_by_today_s_identity(serving_bank: Bank) -> None:
    kept = serving_bank.rows("select customer_key, probability from build_scores.churn order by 2")
    assert kept == [("cif:1", 0.1), ("cif:2", 0.2), ("cif:2b", 0.3), ("cif:2", 0.9)]
    latest = serving_bank.rows("select customer_key, probability from build_scores.churn_latest order by 1")
    assert latest == [("cif:1", 0.1), ("cif:2", 0.3)]
    assert serving_bank.rows("select * from build_scores.tier_upgrade_latest") == []


def test_reasons_read_as_words(serving_bank: Bank) -> None:
    reasons = "select task, place, direction, sentence_en, sentence_zh from build_scores.score_reasons"
    en = "their last own transaction was a long time ago: 12 days (on 2024-11-19) (similar customers: 2 days)"
    zh = "距上次自主交易已 12天（2024-11-19）（同类客户：2天）"
    assert serving_bank.rows(f"{reasons} where customer_key = 'cif:1'") == [("churn", 1, "high", en, zh)]
    scores = "select task, task_en, measure, score, reason_en, reason_zh from build_scores.customer_scores"
    assert serving_bank.rows(f"{scores} where customer_key = 'cif:1'") == [
        ("churn", "Leaves the bank within 90 days", "probability", 0.1, en, zh)
    ]


def test_every_feature_has_its_phrase() -> None:
    paths = (PROJECT / "dbt_project" / "models" / "features").glob("*__models.yml")
    models = [model for path in paths for model in yaml.safe_load(path.read_text())["models"]]
    named = [
        column["name"]
        for model in models
        if "label" not in model["name"] and model["name"] != "refused_purposes"  # who is not scored at all
        for column in model["columns"]
    ]
    with (PROJECT / "dbt_project" / "seeds" / "reason_phrases.csv").open() as file:
        phrases = list(csv.DictReader(file))
    codes = [phrase["reason_code"] for phrase in phrases]
    assert len(codes) == len(set(codes))
    assert set(codes) == set(named) - {"customer_key", "as_of_date"}
    texts = ("phrase_en", "phrase_zh", "high_en", "low_en", "high_zh", "low_zh")
    assert all(phrase[text] for phrase in phrases for text in texts)


def test_customer_360_is_one_row_per_customer_of_today(serving_bank: Bank) -> None:
    rows = serving_bank.rows(
        "select customer_key, churn_probability, churn_band, oldest_score_date, rm_id from build_marts.customer_360"
    )
    customers = {customer: rest for customer, *rest in rows}
    assert len(customers) == len(rows) == 7  # nine records of the branch, two of them absorbed
    assert customers["cif:2"] == [0.3, "low", date(2024, 12, 1), None]
    assert customers["cif:1"][3] == "R1"
    assert customers["cif:3"] == [None, None, None, None]


def test_critical_elements_say_how_many_rows_have_a_value(serving_bank: Bank) -> None:
    counted = "select row_count, filled_count from build_ops.element_completeness where element = 'marts.{}'"
    assert serving_bank.rows(counted.format("customer_360.customer_key")) == [(7, 7)]
    assert serving_bank.rows(counted.format("customer_360.churn_probability")) == [(7, 2)]
    today = "select count(*), count(amount) from build_marts.fct_transactions where business_date = date '{}'"
    assert serving_bank.rows(counted.format("fct_transactions.amount")) == serving_bank.rows(today.format(LAST_DATE))
    assert serving_bank.rows("select count(*) from build_ops.critical_elements where owner is not null") == [(23,)]


def test_ops_tell_what_happened_without_raw_text(serving_bank: Bank) -> None:
    assert serving_bank.rows("select source_file, source_row, reason from build_ops.rejects") == [
        ("c.dat", 7, "invalid_type")
    ]
    shown = serving_bank.rows("select column_name from information_schema.columns where table_schema = 'build_ops'")
    assert ("raw_text",) not in shown
    assert serving_bank.rows("select step, status, duration_seconds from build_ops.runs") == [
        ("build", "success", 90.0)
    ]
    counts = "select count(*) from build_ops.deliveries where outcome = 'loaded' and feed = 'transactions'"
    assert serving_bank.rows(counts) == [(9,)]
    assert serving_bank.rows("select count(*) from build_ops.freshness where days_since_delivery < 0") == [(0,)]
