"""Precision and recall of alerts, worked out by hand: a day's grace, who was not known yet, and who wants no alert."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from lakehouse.errors import Stop
from ml_jobs.quality import alerts
from tests.conftest import temporary_settings

TODAY = date(2026, 1, 3)
ALERTS = """
    select * from (values
        ('a', date '2025-12-20', true, true, false, false, true),   -- planted that day
        ('b', date '2025-12-21', false, true, false, false, true),  -- planted the day before
        ('c', date '2025-12-21', true, false, false, false, false), -- planted, but no alert is wanted
        ('e', date '2025-12-21', false, false, true, false, false)  -- planted two days before
    ) as t(customer_key, business_date, is_unusual, is_large_share, is_large_sum, is_new_payee, is_serious)
"""
PARTIES = "select 'cif:' || k as party_key, k as customer_key, d as first_known_date from (values "
PARTIES += "('a', date '2025-01-01'), ('b', date '2025-01-01'), ('c', date '2025-01-01'), ('d', date '2025-12-20'), "
PARTIES += "('e', date '2025-01-01'), ('f', date '2025-01-01')) as t(k, d)"
PLANTED = """
    select * from (values
        ('cif:a', date '2025-12-20', true), ('cif:a', date '2025-12-20', true), ('cif:b', date '2025-12-20', true),
        ('cif:c', date '2025-12-21', false), ('cif:d', date '2025-12-20', true), ('cif:e', date '2025-12-19', true),
        ('cif:f', date '2025-12-06', true)
    ) as t(party_key, outflow_date, should_alert)
"""


def test_precision_and_recall_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """d was not known on the day before, f's outflow is older than the alerts: three of the planted outflows count."""
    duckdb.sql(f"copy ({PLANTED}) to '{tmp_path / alerts.PLANTED}' (format parquet)")
    published = {"marts.outflow_alerts": ALERTS, "marts.dim_party": PARTIES}

    def query(_settings: object, statement: str) -> object:
        return duckdb.sql(published[statement.split(" from ")[1]]).to_arrow_table()

    monkeypatch.setattr(alerts.warehouse, "query_serving", query)
    monkeypatch.setattr(alerts.warehouse, "last_published", lambda _settings: TODAY)
    quality = alerts.evaluate(temporary_settings(tmp_path), tmp_path)
    assert (quality["planted"], quality["first_date"]) == (3, date(2025, 12, 7))
    whole = quality["rules"]["all"]
    assert (whole["precision"]["part"], whole["precision"]["whole"]) == (2, 4)
    assert (whole["recall"]["part"], whole["recall"]["whole"]) == (2, 3)
    assert whole["recall"]["low"] < 2 / 3 < whole["recall"]["high"]
    unusual = quality["rules"]["unusual"]
    assert (unusual["precision"]["value"], unusual["recall"]["part"]) == (0.5, 1)
    assert quality["rules"]["new_payee"]["precision"]["value"] is None
    assert len(list(alerts.tables(quality))) == 2


def test_without_planted_outflows_it_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(Stop, match=r"planted_outflows\.parquet is not there"):
        alerts.evaluate(temporary_settings(tmp_path), tmp_path)
