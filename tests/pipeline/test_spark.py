"""Spark builds the same tables from the same lake as DuckDB: by a full load, and by two runs on top with late rows."""

import shutil

import pytest

from c360 import pipeline
from lakehouse.settings import Settings
from tests.pipeline.bank import EMPTY, deployment_at
from tests.pipeline.conftest import D2, D3, LAST_OF_HISTORY, Undisturbed
from tests.pipeline.test_parity import published, rows, same

pytestmark = [pytest.mark.spark, pytest.mark.timeout(7200)]


@pytest.fixture(scope="module")
def spark(day_by_day: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The bank on Spark as of the end of its history; deliveries and scores are those of DuckDB's bank."""
    folder = tmp_path_factory.mktemp("spark")
    shutil.copytree(day_by_day.settings.lake, folder / "lake")
    settings = deployment_at(folder, day_by_day.settings.landing, target="spark")
    pipeline.run(settings, LAST_OF_HISTORY, LAST_OF_HISTORY, print)
    return settings


def test_a_full_load_is_equal(spark: Settings, history: Settings) -> None:
    assert differing(history, spark) == {}


def test_days_on_top_are_equal(spark: Settings, day_by_day: Undisturbed) -> None:
    pipeline.run(spark, D2, D2, print)  # two days at once, the second with a late row
    pipeline.run(spark, D3, D3, print)  # sends the first one again
    assert differing(day_by_day.settings, spark) == {}


def differing(one: Settings, other: Settings) -> dict[str, str]:
    """What is not equal, by table; the rows of every table are printed."""
    found = {}
    assert published(other) == published(one)
    for table in published(one):
        left, right = rows(one, table), rows(other, table)
        assert left.num_rows > 0 or table in EMPTY, table
        print(f"{table:55} {left.num_rows:>9,} rows, on Spark {right.num_rows:>9,}")
        if left.num_rows != right.num_rows:
            found[table] = f"{left.num_rows} rows, on Spark {right.num_rows}"
        elif unequal := [name for name in left.column_names if not same(left[name], right.cast(left.schema)[name])]:
            found[table] = f"columns {', '.join(unequal)}"
    return found
