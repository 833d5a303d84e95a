"""The dbt tests that a run leaves to `make test`: unit tests judge the code, tests of keys read whole histories."""

import shutil

import pytest

from lakehouse.settings import Settings
from lakehouse.warehouse import lineage
from lakehouse.warehouse.dbt import compiled_sql, read_manifest, target_path
from lakehouse.warehouse.publication import SCHEMAS
from tests.dbt.bank import run_tests
from tests.pipeline.bank import deployment_at
from tests.pipeline.conftest import LAST_OF_HISTORY


@pytest.fixture(scope="module")
def statuses(history: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What became of the tests over a copy of the bank's engine: of models, and of data."""
    settings = deployment_at(tmp_path_factory.mktemp("left"), history.landing)
    shutil.copyfile(history.build, settings.build)  # unit tests ask it for columns
    shutil.copytree(target_path(history), target_path(settings))
    today = str(LAST_OF_HISTORY)
    variables = {"business_date": today, "from_date": today, "as_of_dates": [today]}
    found: dict[str, list[str]] = {"unit_test": [], "test": []}
    for result in run_tests(settings, variables, ["test_type:unit", "tag:whole_history"]):
        if (kind := result.node.resource_type.value) in found:  # else what a run asks at its end
            found[kind].append(str(result.status))
    return found


def test_every_unit_test_of_the_models_holds(statuses: dict[str, list[str]]) -> None:
    assert statuses["unit_test"] == 81 * ["pass"]


def test_every_key_holds_over_the_whole_history(statuses: dict[str, list[str]]) -> None:
    assert statuses["test"] == 189 * ["pass"]


def test_no_published_column_derives_from_personal_data(history: Settings) -> None:
    """But for exceptions that are reviewed, of which each is needed."""
    manifest = read_manifest(history)
    found = lineage.published_sources(manifest, compiled_sql(history, manifest), SCHEMAS, "duckdb")
    assert found.keys() == lineage.load_rules().exceptions.keys()
