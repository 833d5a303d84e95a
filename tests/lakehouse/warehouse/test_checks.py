"""The data tests that a run asks at the end: each kind still stops the day, by its name, as a node of dbt would."""

from pathlib import Path

import pytest
import yaml

from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import DbtFailed, dbt

VARIABLES = {"business_date": "2026-01-06", "from_date": "2026-01-01"}
HERE = Path(__file__).parent / "checked"
AT_END = {
    "has_unique_key",
    "has_unique_key_of_the_months",
    "holds_for_every_row",
    "spells_join_up",
    "neighbours_differ",
    "not_null",
    "unique",
    "accepted_values",
}


@pytest.fixture
def checked(any_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(dbt, "DBT_PROJECT", HERE)
    return any_settings


def test_every_kind_of_test_is_asked_and_stops_the_build_by_its_name(checked: Settings) -> None:
    nodes = dbt.run_dbt(checked, "tag:marts", VARIABLES)
    said = {node.name: node.status for node in nodes}
    assert said == dict.fromkeys(AT_END, "pass") | {
        "spells": "success",
        "untested": "success",
        "holds_or_warns": "pass",
    }
    with pytest.raises(DbtFailed) as failed:
        dbt.run_dbt(checked, "tag:marts", VARIABLES | {"broken": True})
    lines = str(failed.value).splitlines()
    assert {line.partition(":")[0] for line in lines} == AT_END
    assert all("fail: Got " in line for line in lines)
    nodes = dbt.run_dbt(checked, "untested", VARIABLES | {"broken": True})  # what is not built is not asked
    assert [node.name for node in nodes] == ["untested"]


def test_the_bank_asks_at_the_end_the_kinds_that_are_proved_here() -> None:
    """A new kind of test of a model needs its broken row above."""
    asked = set()
    for path in (PROJECT / "dbt_project" / "models").rglob("*.yml"):
        for model in yaml.load(path.read_text(), yaml.CSafeLoader).get("models", []):
            tests = (test for place in (model, *model.get("columns", [])) for test in place.get("data_tests", []))
            asked |= {next(iter(test)) if isinstance(test, dict) else test for test in tests}
    assert asked <= AT_END
