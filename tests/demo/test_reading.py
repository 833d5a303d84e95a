"""What is read while Airflow starts is what the first build and the first publish need."""

from datetime import date
from pathlib import Path

import pytest

from demo.reading import main
from lakehouse.warehouse.dbt import target_path
from lakehouse.warehouse.derivation import read_lineage
from lakehouse.warehouse.lineage import check_lineage
from lakehouse.warehouse.publication import SCHEMAS
from tests.conftest import parsed, temporary_settings


def test_the_lineage_of_a_new_deployment_is_there_before_its_first_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parsed(temporary_settings(tmp_path))
    for kept in target_path(settings).glob("lineage-*.json"):
        kept.unlink()
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    main(date(2026, 1, 1))
    assert read_lineage(settings).feeds("marts.customer_360.aum_amount") == ["balances", "holdings", "transactions"]
    (kept,) = target_path(settings).glob("lineage-*.json")
    before = kept.stat().st_mtime_ns
    check_lineage(settings, SCHEMAS)
    assert list(target_path(settings).glob("lineage-*.json")) == [kept]
    assert kept.stat().st_mtime_ns == before
