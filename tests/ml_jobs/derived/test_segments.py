"""The groups of the long tail as files of the lake: frozen, signed, and of the customers without a manager only."""

import json
from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lakehouse import lake
from lakehouse.settings import Settings
from lakehouse.warehouse.relations import lake_tables, small_tables
from ml_jobs.derived.segments import traits, write_segments
from ml_jobs.registry.model import UntrustedModel
from tests.conftest import temporary_settings
from tests.ml_jobs.made_up import BUSINESS_DATE, FIRST_MONTH, NOBODY_REFUSES, deliver, month_ends

NEXT_DAY = BUSINESS_DATE + timedelta(days=1)
NEXT_MONTH_END = BUSINESS_DATE + timedelta(days=31)
CUSTOMERS, MANAGED = 300, 40


@pytest.fixture
def settings(tmp_path) -> Settings:
    """Features of five month-ends, a day and a sixth; the first customers have a manager."""
    settings = temporary_settings(tmp_path)
    random = np.random.default_rng(8)
    level = random.normal(size=(CUSTOMERS, len(traits().features)))
    days = [
        pd.DataFrame(np.exp(level + 0.1 * random.normal(size=level.shape)), columns=traits().features).assign(
            customer_key=[f"cif:{number:03d}" for number in range(CUSTOMERS)],
            as_of_date=day,
            has_rm=[float(number < MANAGED) for number in range(CUSTOMERS)],
        )
        for day in (*month_ends()[-5:], NEXT_DAY, NEXT_MONTH_END)
    ]
    with duckdb.connect(str(settings.build)) as engine:
        engine.register("rows", pd.concat(days))
        engine.execute("create schema build_features")
        engine.execute(NOBODY_REFUSES)
        engine.execute(
            "create table build_features.customer_features as "
            "select * replace (cast(as_of_date as date) as as_of_date) from rows"
        )
    deliver(settings, FIRST_MONTH, "2024-06")
    return settings


def test_who_has_but_a_credit_card_is_not_called_a_borrower() -> None:
    (borrowing,) = (one for one in traits().all if one.features == ("loan_count", "credit_card_count"))
    assert {"loan", "card"} <= set(borrowing.high.en.split())


def segments_on(settings: Settings, day) -> tuple[dict[str, str], lake.Pin]:
    deliver(settings, day, str(day), "daily")
    pin = lake.pin(settings.lake, day)
    return write_segments(settings, pin), pin


def attached(settings: Settings, pin: lake.Pin) -> list[dict]:
    (table,) = (table for table in lake_tables(settings.lake, pin, None) if table.relation.name == "segments")
    return [row for file in table.files for row in pq.read_table(file.path).to_pylist()]


def test_customers_without_a_manager_are_grouped_on_month_ends_and_today(settings: Settings) -> None:
    outcome, pin = segments_on(settings, NEXT_DAY)
    assert outcome["model_version"].startswith(str(BUSINESS_DATE))
    rows = attached(settings, pin)
    assert {row["as_of_date"] for row in rows} == {*month_ends()[-5:], NEXT_DAY}
    assert len(rows) == 6 * (CUSTOMERS - MANAGED)
    assert min(row["customer_key"] for row in rows) == f"cif:{MANAGED:03d}"
    card = json.loads((settings.lake / "models/customer_segments" / outcome["model_version"] / "card.json").read_text())
    assert 5 <= len(card["groups"]) <= 8
    assert len(card["stability"]) == 4
    for month in card["stability"]:
        assert month["customers_rand_low"] <= month["customers_rand"] <= month["customers_rand_high"] <= 1
    names = {table.relation.name: table for table in small_tables(settings.lake, pin)}
    assert names["segment_groups"].rows.num_rows == len(card["groups"])
    assert names["segment_traits"].rows.num_rows == len(card["groups"]) * len(traits().all)


def test_groups_keep_numbers_and_customers_in_the_next_month(settings: Settings) -> None:
    _, pin = segments_on(settings, BUSINESS_DATE)
    before = {
        row["customer_key"]: row["segment_id"] for row in attached(settings, pin) if row["as_of_date"] == BUSINESS_DATE
    }
    later, pin = segments_on(settings, NEXT_MONTH_END)
    assert later["model_version"].startswith(str(NEXT_MONTH_END))
    card = json.loads((settings.lake / "models/customer_segments" / later["model_version"] / "card.json").read_text())
    assert card["carried_on"] and set(card["ids"]) == set(before.values())
    after = [row for row in attached(settings, pin) if row["as_of_date"] == NEXT_MONTH_END]
    assert sum(before[row["customer_key"]] == row["segment_id"] for row in after) > 0.8 * len(before)


def test_the_model_is_frozen_within_the_month(settings: Settings) -> None:
    outcome, pin = segments_on(settings, BUSINESS_DATE)
    assert not lake.pinned_path(settings.lake, "segments", pin).exists()  # a month-end is assigned with its model
    before = {
        row["customer_key"]: row["segment_id"] for row in attached(settings, pin) if row["as_of_date"] == BUSINESS_DATE
    }
    with duckdb.connect(str(settings.build)) as engine:  # nobody changes overnight; somebody new comes
        engine.execute(f"delete from build_features.customer_features where as_of_date = date '{NEXT_DAY}'")
        engine.execute(
            "insert into build_features.customer_features "
            f"select * replace (date '{NEXT_DAY}' as as_of_date) from build_features.customer_features "
            f"where as_of_date = date '{BUSINESS_DATE}' union all "
            f"select * replace (date '{NEXT_DAY}' as as_of_date, 'cif:new' as customer_key) "
            "from build_features.customer_features "
            f"where as_of_date = date '{BUSINESS_DATE}' and customer_key = 'cif:200'"
        )
    again, pin = segments_on(settings, NEXT_DAY)
    assert again == outcome
    after = {row["customer_key"]: row["segment_id"] for row in attached(settings, pin) if row["as_of_date"] == NEXT_DAY}
    assert after.pop("cif:new") == before["cif:200"]
    assert after == before


def test_a_tampered_model_is_refused(settings: Settings) -> None:
    outcome, _ = segments_on(settings, BUSINESS_DATE)
    card = settings.lake / "models/customer_segments" / outcome["model_version"] / "card.json"
    card.write_text(card.read_text().replace('"ids"', '"ids "'))
    with pytest.raises(UntrustedModel):
        segments_on(settings, NEXT_DAY)


def test_too_few_customers_abstain_with_the_reason(settings: Settings) -> None:
    with duckdb.connect(str(settings.build)) as engine:
        engine.execute("update build_features.customer_features set has_rm = 1 where customer_key > 'cif:100'")
    outcome, pin = segments_on(settings, NEXT_DAY)
    assert "61 customers" in outcome["reason"]
    assert attached(settings, pin) == []
    assert all(
        table.rows.num_rows == 0 for table in small_tables(settings.lake, pin) if "segment" in table.relation.name
    )
