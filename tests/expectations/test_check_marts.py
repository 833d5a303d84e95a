"""The gate marts -> readers, on a real build engine that holds just what the gate reads."""

import pickle
from datetime import date

import duckdb
import pytest

from c360.pipeline import expected_scores
from expectations import gates
from expectations.checkpoint import SUITES, load_suite
from expectations.gates import GateFailed, GateResult
from lakehouse import lake
from lakehouse.lake import Outcome, write_outcome
from lakehouse.settings import Settings
from ml_jobs.task_file import load_tasks

DAY = date(2026, 1, 9)
ENGINE = """
    create schema build_marts;
    create schema build_features;
    create schema raw;
    create schema build_intermediate;
    create schema build_ops;
    create table build_ops.model_monitoring
        (task varchar, as_of_date date, measure varchar, feature varchar, value double, is_alert boolean);
    create table build_ops.reidentification as
        select 'sensitive' as security_level, 'gender, age_band' as columns_known, 10 as least_group_size,
            0.01 as below_least_share, 0.0 as unique_share
        union all select 'important', 'gender, birth_year', 10, 1.0, 0.9;
    create table build_marts.customer_360 as
        select 'cif:' || i as customer_key, date '2026-01-09' as as_of_date, 1 + i % 7 as star_tier,
            cast(100 * i as decimal(38, 2)) as aum_amount, 0.1 as churn_probability, 0.2 as tier_upgrade_probability,
            0.3 as tier_downgrade_probability, 0.4 as credit_warning_probability
        from range(1, 101) as numbers(i);
    create table build_features.customer_features as
        select customer_key, as_of_date, cast(star_tier < 7 as integer) as next_tier_gap_rate,
            cast(aum_amount > 5000 as integer) as performing_loan_count
        from build_marts.customer_360;
    create table build_features.refused_purposes (customer_key varchar, as_of_date date, purpose varchar);
    create table raw.scores (task varchar, customer_key varchar, as_of_date date, horizon_days integer);
    create table build_marts.fct_transactions as
        select i as txn_id, date '2026-01-09' as business_date from range(1000) as numbers(i);
    create table build_marts.fct_balances_daily as select date '2026-01-09' as business_date;
    create table build_intermediate.int_ops__repeated_events (feed varchar, valid_to date);
    create table build_marts.balance_breaks (account_no_token varchar, business_date date, explanation varchar);
"""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    with duckdb.connect(settings.build) as engine:
        engine.execute(ENGINE)
        customers = "select customer_key, as_of_date from build_marts.customer_360"
        for name, task in load_tasks().items():
            table, (population, limit) = f"build_{task.table}", task.population_above or ("everybody", 0)
            engine.execute(f"create table if not exists {table} as {customers}")
            engine.execute(f"alter table {table} add column if not exists {population} integer default 2")
            for days in task.horizons or (task.horizon_days,):
                about = f"select '{name}', customer_key, as_of_date, {days} from {table} where {population} > {limit}"
                engine.execute(f"insert into raw.scores {about}")
    outcome = Outcome(
        feed="transactions", channel="branch", period=str(DAY), version=1, load="daily", source_hash="a" * 64,
        cutoff_date=DAY, outcome="loaded", reason=None, rows_delivered=1000, rows_loaded=1000, rows_quarantined=0,
        min_business_date=DAY, max_business_date=DAY, late_rows=0, lake_file="raw/x.parquet", quarantine_file=None,
        files=("x.dat",),
    )  # fmt: skip
    write_outcome(settings.lake, outcome)
    return settings


def check_marts(settings: Settings, business_date: date) -> GateResult:
    """The gate, as the pipeline calls it."""
    return gates.check_marts(settings, business_date, expected_scores(settings, lake.pin(settings.lake, business_date)))


def change(settings: Settings, sql: str) -> None:
    with duckdb.connect(settings.build) as engine:
        engine.execute(sql)


def test_good_marts_pass(settings):
    result = check_marts(settings, DAY)
    assert result.findings == ()
    assert result.checks == sum(len(load_suite(path.stem).expectations) for path in SUITES.glob("marts_*.yml"))
    assert result.docs.exists()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("insert into build_marts.customer_360 from build_marts.customer_360 limit 1", "to_be_unique on customer_key"),
        ("update build_marts.customer_360 set star_tier = 8 where customer_key = 'cif:7'", "cif:7 (star_tier = 8"),
        ("update build_marts.customer_360 set aum_amount = null where customer_key = 'cif:7'", "aum_amount"),
        ("update build_marts.customer_360 set churn_probability = 1.2 where customer_key = 'cif:7'", "cif:7"),
        (
            "delete from raw.scores where task = 'churn' and customer_key = 'cif:7'",
            "churn (expected_rows = 100, scored_rows = 99",
        ),
        ("insert into raw.scores from raw.scores where task = 'churn' limit 1", "scored_rows = 101"),
        ("delete from build_marts.fct_transactions where txn_id = 7", "rows_accounted = 999"),
        ("insert into build_marts.balance_breaks values ('A7', '2026-01-09', null)", "A7 on 2026-01-09"),
        ("update build_marts.customer_360 set as_of_date = date '2026-01-08'", "customer_360 (days_after"),
        ("insert into build_marts.fct_balances_daily values ('2026-01-10')", "fct_balances_daily (days_after"),
        ("delete from build_marts.customer_360; delete from build_features.customer_features", "customers (today = 0"),
    ],
)
def test_a_fault_fails_and_the_message_names_it(settings, fault, words):
    change(settings, fault)
    with pytest.raises(GateFailed) as failure:
        check_marts(settings, DAY)
    assert words in str(failure.value)
    assert str(pickle.loads(pickle.dumps(failure.value))) == str(failure.value)
    assert "What to do" in str(failure.value)


def test_an_explained_break_and_an_abstention_only_warn(settings):
    change(settings, "insert into build_marts.balance_breaks values ('A7', '2026-01-09', 'quarantined row')")
    change(settings, "delete from raw.scores where task = 'churn'")
    known = lake.pin(settings.lake, DAY).hash
    abstention = {"task": "churn", "as_of_date": DAY, "reason": "too few"}
    lake.write_json(settings.lake / "models" / "churn" / "abstentions" / f"{DAY}-{known}.json", abstention)
    assert {warning.subject for warning in check_marts(settings, DAY).warnings} == {"explained_breaks", "is_abstained"}


def test_too_many_in_small_groups_warn_of_those_who_serve_nobody(settings):
    change(
        settings, "update build_ops.reidentification set below_least_share = 0.06 where security_level = 'sensitive'"
    )
    assert [warning.subject for warning in check_marts(settings, DAY).warnings] == ["below_least_share"]


def test_alerts_of_the_models_warn_and_name_the_feature(settings):
    change(
        settings,
        """
        insert into build_ops.model_monitoring values
            ('churn', '2026-01-09', 'stability_index', 'aum_amount', 0.31, true),
            ('churn', '2026-01-09', 'missing_rise', 'aum_amount', 0.01, false),
            ('churn', '2026-01-08', 'missing_rise', 'aum_amount', 0.5, true),
            ('tier_upgrade', '2026-01-09', 'calibration_gap', '(score)', 0.04, true),
            ('churn', '2026-01-09', 'selection_gap', '(score) gender F - M', 0.2, true)
        """,
    )
    observed = {warning.subject: warning.observed for warning in check_marts(settings, DAY).warnings}
    assert set(observed) == {"drifted_features", "outcome_against_promise", "unfair_groups"}
    assert "churn (drifted_features = aum_amount stability_index 0.31)" in observed["drifted_features"]
    assert "tier_upgrade" in observed["outcome_against_promise"]
    assert "churn (unfair_groups = (score) gender F - M selection_gap 0.20)" in observed["unfair_groups"]


def test_a_suite_that_asks_for_what_is_not_there_is_an_error_not_a_pass(settings):
    change(settings, "alter table build_marts.balance_breaks drop column explanation")
    with pytest.raises(duckdb.Error):
        check_marts(settings, DAY)
