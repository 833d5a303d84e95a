"""Scores and abstentions as files of the lake: written once, named by what was known, never mixed up."""

import json
import shutil
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lakehouse.errors import Stop
from lakehouse.lake import pin
from lakehouse.lake.model_files import Known
from lakehouse.warehouse.engines import duckdb as engine
from ml_jobs.scores import scoring
from ml_jobs.scores.scoring import Abstained, Scored, is_scored, score, score_all
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, deliver, made_up_bank

NEXT_DAY = BUSINESS_DATE + timedelta(days=1)


@pytest.fixture(scope="module")
def scored_bank(tmp_path_factory, rows):
    """A bank in whose lake churn is scored at the business date."""
    folder = tmp_path_factory.mktemp("scored")
    settings = made_up_bank(folder, *rows)
    score(settings, "churn", Known.by(settings, BUSINESS_DATE))
    return folder


@pytest.fixture
def settings(scored_bank, rows, tmp_path):
    """A copy of that bank, with features of one more day."""
    shutil.copytree(scored_bank, tmp_path / "bank")
    features, labels = rows
    last = features.filter(pa.compute.equal(features["as_of_date"], pa.scalar(BUSINESS_DATE)))
    moved = last.set_column(1, "as_of_date", pa.array([NEXT_DAY] * len(last))).cast(features.schema)
    return made_up_bank(tmp_path / "bank", pa.concat_tables([features, moved]), labels)


def files(settings, pattern):
    return sorted(str(path.relative_to(settings.lake)) for path in settings.lake.glob(pattern) if path.is_file())


def change_features(settings, sql: str) -> None:
    with duckdb.connect(str(settings.build)) as engine:
        engine.sql(sql)


@pytest.mark.faults("labels", store="lake")  # three features of the made-up bank are constant
def test_scores_are_named_by_date_model_and_what_was_known(settings):
    known = pin(settings.lake, BUSINESS_DATE).hash
    outcome = score(settings, "churn", Known.by(settings, BUSINESS_DATE))
    assert outcome == Scored(
        settings.lake / "scores" / "churn" / "as_of_date=2025-12-31" / f"2025-12-31-{known}-{known}.parquet"
    )
    table = pq.read_table(outcome.path, partitioning=None)
    assert set(table["model_version"].to_pylist()) == {f"2025-12-31-{known}"}
    assert set(table["as_of_date"].to_pylist()) == {BUSINESS_DATE}


def test_scores_that_are_there_are_kept_byte_for_byte(settings):
    path = score(settings, "churn", Known.by(settings, BUSINESS_DATE)).path
    kept = path.read_bytes()
    change_features(settings, "update build_features.customer_features set trend_rate = 9")
    assert score(settings, "churn", Known.by(settings, BUSINESS_DATE)).path.read_bytes() == kept


def test_scoring_afresh_gives_the_same_scores(settings, scored_bank):
    path = score(settings, "churn", Known.by(settings, BUSINESS_DATE)).path
    kept = pq.read_table(path, partitioning=None)
    shutil.rmtree(settings.lake / "scores")
    shutil.rmtree(settings.lake / "models")
    again = pq.read_table(score(settings, "churn", Known.by(settings, BUSINESS_DATE)).path, partitioning=None)
    assert again.drop("scored_at") == kept.drop("scored_at")


def test_scores_by_models_that_are_there_open_the_engine_once(settings, monkeypatch):
    """It takes as long to open as to score a small bank."""
    deliver(settings, NEXT_DAY, "2026-01-01")
    monkeypatch.setattr(scoring, "load_tasks", lambda: {"churn": load_tasks()["churn"]})
    opened, times = engine.opened, []

    def counted(*arguments, **named):
        times.append(arguments)
        return opened(*arguments, **named)

    monkeypatch.setattr(engine, "opened", counted)
    assert isinstance(score_all(settings, Known.by(settings, NEXT_DAY))["churn"], Scored)
    assert len(times) == 1


def test_the_next_day_uses_the_months_model_and_its_own_pin(settings):
    deliver(settings, NEXT_DAY, "2026-01-01")
    outcome = score(settings, "churn", Known.by(settings, NEXT_DAY))
    month, day = pin(settings.lake, BUSINESS_DATE).hash, pin(settings.lake, NEXT_DAY).hash
    assert month != day
    assert outcome.path.stem == f"2025-12-31-{month}-{day}"
    assert len(files(settings, "models/churn/*/model.skops")) == 1


def test_a_delivery_that_changes_what_was_known_is_scored_anew_beside_the_old_scores(settings):
    before = files(settings, "scores/churn/*/*")
    deliver(settings, BUSINESS_DATE, "2025-12")
    assert score(settings, "churn", Known.by(settings, BUSINESS_DATE)).path.exists()
    after = files(settings, "scores/churn/*/*")
    assert set(before) < set(after) and len(after) == 2
    assert len(files(settings, "models/churn/*/model.skops")) == 2


def abstention(settings, day=BUSINESS_DATE, task="churn"):
    path = settings.lake / "models" / task / "abstentions" / f"{day}-{pin(settings.lake, day).hash}.json"
    return json.loads(path.read_text())


def test_a_deployment_that_cannot_support_a_score_abstains_with_its_reason(settings, tmp_path):
    deployment = yaml.safe_load(settings.deployment.read_text())
    deployment["unsupported_scores"] = {"tier_upgrade": "the bank's extract ends at the loan"}
    path = tmp_path / "deployment.yml"
    path.write_text(yaml.safe_dump(deployment))
    settings = settings.model_copy(update={"deployment": path})
    outcome = score(settings, "tier_upgrade", Known.by(settings, BUSINESS_DATE))
    assert outcome == Abstained("the bank's extract ends at the loan")
    assert abstention(settings, task="tier_upgrade") == {
        "task": "tier_upgrade",
        "as_of_date": "2025-12-31",
        "reason": "the bank's extract ends at the loan",
    }
    assert not files(settings, "scores/tier_upgrade/*/*")


def test_an_extract_that_has_ended_abstains(settings):
    deliver(settings, NEXT_DAY, "2026-01-01")
    change_features(
        settings,
        f"""
        update build_features.customer_features set txn_count_90d = 0
        where as_of_date = date '{NEXT_DAY}' and customer_key > 'cif:000700'
        """,
    )
    outcome = score(settings, "churn", Known.by(settings, NEXT_DAY))
    assert isinstance(outcome, Abstained)
    assert "only 701 of 1500 customers with an open account have a transaction in the 90 days" in outcome.reason
    assert abstention(settings, NEXT_DAY)["reason"] == outcome.reason
    assert not files(settings, f"scores/churn/as_of_date={NEXT_DAY}/*")


@pytest.mark.faults("labels", store="lake")
def test_too_short_a_history_abstains(settings):
    early = date(2024, 12, 31)
    outcome = score(settings, "churn", Known.by(settings, early))
    assert isinstance(outcome, Abstained)
    assert "4 month-ends have labels that are ripe" in outcome.reason
    assert abstention(settings, early)["reason"] == outcome.reason


def test_features_that_are_not_built_are_an_error_and_no_abstention(settings):
    day = BUSINESS_DATE + timedelta(days=5)
    with pytest.raises(Stop, match="no customer at 2026-01-05: build that business date first"):
        score(settings, "churn", Known.by(settings, day))
    assert not files(settings, "models/churn/abstentions/*")


@pytest.mark.faults("labels", store="lake")
def test_a_score_about_people_whom_the_bank_does_not_have_abstains(settings, monkeypatch):
    change_features(
        settings, "create table build_features.prospect_features as from build_features.customer_features limit 0"
    )
    leads = load_tasks()["churn"].model_copy(update={"table": "features.prospect_features"})
    monkeypatch.setattr("ml_jobs.scores.scoring.load_tasks", lambda: {"churn": leads})
    outcome = score(settings, "churn", Known.by(settings, NEXT_DAY))
    assert isinstance(outcome, Abstained)
    assert "features.prospect_features has nobody at 2026-01-01" in outcome.reason


def test_an_unknown_task_is_an_error(settings):
    with pytest.raises(KeyError, match="loan"):
        score(settings, "loan", Known.by(settings, BUSINESS_DATE))


def test_a_date_is_scored_when_every_task_is(settings, monkeypatch):
    monkeypatch.setattr("ml_jobs.scores.scoring.load_tasks", lambda: {"churn": load_tasks()["churn"]})
    assert is_scored(settings, Known.by(settings, BUSINESS_DATE))
    assert not is_scored(settings, Known.by(settings, NEXT_DAY))
    monkeypatch.undo()
    assert not is_scored(settings, Known.by(settings, BUSINESS_DATE))
