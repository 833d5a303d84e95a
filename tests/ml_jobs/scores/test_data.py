"""Both engines hand over the same rows in the same order, so they lead to the same model."""

import adbc_driver_postgresql.dbapi
import duckdb
import numpy as np
import pyarrow as pa
import pytest

from lakehouse.errors import Stop
from ml_jobs.errors import CannotScore
from ml_jobs.scores.data import count_customers, feature_columns, labelled_months, read_features, read_labelled
from ml_jobs.task_file import load_tasks
from tests.ml_jobs.made_up import BUSINESS_DATE, NOBODY_REFUSES, made_up_bank, made_up_rows

CHURN = load_tasks()["churn"]


def test_a_task_is_about_its_population(tmp_path):
    settings = made_up_bank(tmp_path, *made_up_rows(customers=60))
    rising = CHURN.model_copy(update={"population": "next_tier_gap_rate"})
    months, all_months = (labelled_months(settings, task, BUSINESS_DATE) for task in (rising, CHURN))
    dates = tuple(month.as_of_date for month in months)
    rows = read_labelled(settings, rising, ("next_tier_gap_rate",), dates, BUSINESS_DATE)
    assert (rows.values > 0).all()
    assert len(rows.label) == sum(month.rows for month in months) == 0.8 * sum(month.rows for month in all_months)
    assert len(read_features(settings, rising, (), dates[0]).customer) == 48


def test_a_population_begins_above_a_number(tmp_path):
    settings = made_up_bank(tmp_path, *made_up_rows(customers=60))
    everybody = read_features(settings, CHURN, ("age_years",), BUSINESS_DATE)
    above = CHURN.model_copy(update={"population": "age_years > 40.5"})
    rows = read_features(settings, above, ("age_years",), BUSINESS_DATE)
    assert 60 > len(rows.values) == (everybody.values > 40.5).sum() > 0


def test_what_says_a_feature_is_learned_from_only_where_a_task_names_it(tmp_path):
    """A share of payments beside the same share over the usual of the day: the first moves for everybody at once."""
    features, labels = made_up_rows(customers=10)
    share = pa.array(np.full(len(features), 0.3))
    for name in ("pos_txn_share_180d", "pos_txn_share_to_usual_180d", "help_page_share_180d", "pos_txn_rate"):
        features = features.append_column(name, share)
    settings = made_up_bank(tmp_path, features, labels)
    learned = feature_columns(settings, CHURN)
    assert "pos_txn_share_180d" not in learned
    assert {"pos_txn_share_to_usual_180d", "help_page_share_180d", "pos_txn_rate"} <= set(learned)
    named = CHURN.model_copy(update={"features": ("pos_txn_share_180d", "pos_txn_share_to_usual_180d")})
    assert feature_columns(settings, named) == ("pos_txn_share_180d", "pos_txn_share_to_usual_180d")


def test_who_refuses_is_neither_scored_nor_learned_from_after_that_day(tmp_path):
    settings = made_up_bank(tmp_path, *made_up_rows(customers=60))
    before = labelled_months(settings, CHURN, BUSINESS_DATE)
    with duckdb.connect(str(settings.build)) as engine:
        engine.sql(
            "insert into build_features.refused_purposes select customer_key, as_of_date, 'profiling' "
            "from build_features.customer_features "
            f"where customer_key = 'cif:000001' and as_of_date > '{before[1].as_of_date}'"
        )
    months = labelled_months(settings, CHURN, BUSINESS_DATE)
    assert [month.rows for month in months] == [
        *(month.rows for month in before[:2]),
        *(m.rows - 1 for m in before[2:]),
    ]
    dates = tuple(month.as_of_date for month in months)
    learned = read_labelled(settings, CHURN, (), dates, BUSINESS_DATE)
    days = learned.as_of_date[learned.customer == "cif:000001"].astype(object)
    assert sorted(days) == list(dates[:2])
    assert "cif:000001" not in read_features(settings, CHURN, (), BUSINESS_DATE).customer
    assert count_customers(settings, CHURN, BUSINESS_DATE) == 59
    credit = load_tasks()["credit_warning"].model_copy(update={"population": None})
    assert "cif:000001" in read_features(settings, credit, (), BUSINESS_DATE).customer, "the loan contract asks for it"
    with pytest.raises(Stop, match="does not say for which purpose the score gossip is"):
        read_features(settings, CHURN.model_copy(update={"task": "gossip"}), (), BUSINESS_DATE)


def test_nobody_in_the_population_is_no_score(tmp_path):
    settings = made_up_bank(tmp_path, *made_up_rows(customers=60))
    with pytest.raises(CannotScore, match=r"no customer .* with has_rm above 0"):
        read_features(settings, CHURN.model_copy(update={"population": "has_rm"}), (), BUSINESS_DATE)


def test_postgres_reads_what_duckdb_reads(postgres_settings, tmp_path):
    features, labels = made_up_rows(customers=60)
    odd_key = pa.array(["Cif:0", "cif:_0", "cif-0", *features["customer_key"].to_pylist()[3:]])
    features = features.set_column(0, "customer_key", odd_key)  # an order that depends on the collation
    with (
        adbc_driver_postgresql.dbapi.connect(postgres_settings.postgres_dsn.get_secret_value()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("create schema build_features")
        cursor.execute(NOBODY_REFUSES)
        for name, table in (("customer_features", features), ("label_churn", labels)):
            cursor.adbc_ingest(name, table, mode="create", db_schema_name="build_features")
        connection.commit()
    settings = made_up_bank(tmp_path / "duckdb", features, labels)
    columns = feature_columns(settings, CHURN)
    assert feature_columns(postgres_settings, CHURN) == columns
    months = labelled_months(settings, CHURN, BUSINESS_DATE)
    assert labelled_months(postgres_settings, CHURN, BUSINESS_DATE) == months
    dates = tuple(month.as_of_date for month in months)
    for read in (
        lambda engine: read_labelled(engine, CHURN, columns, dates, BUSINESS_DATE, share=0.5),
        lambda engine: read_labelled(engine, CHURN, columns, dates[:1], BUSINESS_DATE),
        lambda engine: read_features(engine, CHURN, columns, dates[0]),
    ):
        expected, other = read(settings), read(postgres_settings)
        assert len(expected.customer) > 0
        assert other.customer.tolist() == expected.customer.tolist()
        assert (other.as_of_date == expected.as_of_date).all()
        assert other.values.dtype == expected.values.dtype == np.float32
        np.testing.assert_array_equal(other.values, expected.values)
        np.testing.assert_array_equal(other.label, expected.label)
