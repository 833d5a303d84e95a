"""A small made-up bank whose true hazards are known, as feature and label tables in a scratch build engine."""

from calendar import monthrange
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from scipy.special import expit

from lakehouse.lake import Outcome, write_outcome
from lakehouse.settings import Settings
from tests.conftest import SECRET

FIRST_MONTH = date(2024, 6, 30)
MONTHS = 19  # month-ends from June 2024 to December 2025
BUSINESS_DATE = date(2025, 12, 31)
HORIZON = timedelta(days=90)
CUSTOMERS = 1_500


def month_ends(count: int = MONTHS) -> list[date]:
    days = []
    for month in range(FIRST_MONTH.month - 1, FIRST_MONTH.month - 1 + count):
        year, number = FIRST_MONTH.year + month // 12, month % 12 + 1
        days.append(date(year, number, monthrange(year, number)[1]))
    return days


def made_up_rows(customers: int = CUSTOMERS, seed: int = 1) -> tuple[pa.Table, pa.Table]:
    """Features and labels of churn; the true probability is kept in the label table, where no job reads it.

    The outcome of a month is drawn afresh: the hazard is a smooth function of two features, one of them with a kink
    that no straight line follows; the other features say nothing.
    """
    random = np.random.default_rng(seed)
    dates = month_ends()
    count = customers * len(dates)
    key = np.tile([f"cif:{number:06d}" for number in range(customers)], len(dates))
    as_of = np.repeat(np.array(dates, dtype="datetime64[D]"), customers)
    trend, tension, noise = random.normal(size=(3, count))
    txn_count = random.poisson(np.exp(2 - 0.8 * trend))
    probability = expit(-3.2 + 1.2 * trend + 1.5 * np.maximum(tension, 0))
    features = pa.table(
        {
            "customer_key": key,
            "as_of_date": as_of,
            "deposit_account_count": np.ones(count),
            "pos_txn_count_90d": txn_count.astype(float),
            "txn_count_90d": 3.0 * txn_count + 1,
            "trend_rate": trend,
            "tension_rate": pa.array(tension, mask=random.random(count) < 0.02),
            "noise_rate": noise,
            "age_years": np.tile(random.uniform(18, 90, customers), len(dates)),
            "star_tier": np.full(count, 2.0),
            "next_tier_gap_rate": np.tile(np.where(np.arange(customers) % 5, 0.5, 0), len(dates)),
            "performing_loan_count": np.tile((np.arange(customers) % 4 == 0).astype(float), len(dates)),
            "has_rm": np.zeros(count),
        }
    )
    labels = pa.table(
        {
            "customer_key": key,
            "as_of_date": as_of,
            "horizon_days": pa.array(np.full(count, 90), pa.int32()),
            "ripe_date": as_of + np.timedelta64(90, "D"),
            "label": pa.array(random.random(count) < probability).cast(pa.int32()),
            "true_probability": probability,
        }
    )
    return features, labels.filter(pa.compute.less_equal(labels["ripe_date"], pa.scalar(BUSINESS_DATE)))


NOBODY_REFUSES = """
    create table if not exists build_features.refused_purposes (customer_key varchar, as_of_date date, purpose varchar)
"""


def made_up_bank(folder: Path, features: pa.Table, labels: pa.Table) -> Settings:
    """Settings of a bank under ``folder`` whose build engine holds these tables, and whose lake one delivery."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = Settings.from_env(
        target="duckdb",
        lake=folder / "lake",
        build=folder / "build.duckdb",
        token_secret=SECRET,
    )
    with duckdb.connect(str(settings.build)) as engine:
        engine.sql("create schema if not exists build_features")
        engine.sql("create or replace table build_features.customer_features as from features")
        engine.sql(NOBODY_REFUSES)
        for task in ("churn", "tier_upgrade", "tier_downgrade", "credit_warning"):
            engine.sql(f"create or replace table build_features.label_{task} as from labels")
        engine.sql("create schema if not exists build_marts")
        engine.sql(
            """
            create or replace table build_marts.dim_customer as
            select distinct
                customer_key, date '1900-01-01' as valid_from, cast(null as date) as valid_to,
                case when hash(customer_key) % 2 = 0 then 'F' else 'M' end as gender, 'Hangzhou' as city
            from features
            """
        )
    deliver(settings, month_ends()[0], "2024-06")
    return settings


def deliver(settings: Settings, cutoff: date, period: str, load: str = "initial") -> None:
    """A delivery in the lake that is known from ``cutoff``: it changes the pins from then on."""
    write_outcome(
        settings.lake,
        Outcome(
            feed="transactions", channel="branch", period=period, version=1, load=load, source_hash="a" * 64,
            cutoff_date=cutoff, outcome="loaded", reason=None, rows_delivered=0, rows_loaded=0, rows_quarantined=0,
            min_business_date=None, max_business_date=None, late_rows=0, lake_file="none",
            quarantine_file=None, files=(),
        ),
    )  # fmt: skip
