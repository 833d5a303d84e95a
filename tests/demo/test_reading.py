"""What is read while Airflow starts is what the first build needs."""

from datetime import date
from pathlib import Path

import pytest

from demo.reading import main
from lakehouse.warehouse.derivation import read_lineage
from tests.conftest import parsed, temporary_settings


def test_the_lineage_of_a_new_deployment_is_there_before_its_first_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = parsed(temporary_settings(tmp_path))
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    main(date(2026, 1, 1))
    assert read_lineage(settings).feeds("marts.dim_account.open_date") == ["accounts"]
