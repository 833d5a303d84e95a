"""Bad input is set aside with its reason; the rest goes on; nothing half done is read."""

from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

import simulator
from c360 import pipeline
from lakehouse.settings import Settings
from tests.conftest import parsed
from tests.pipeline.bank import content, copy_of, deliver, deployment_at
from tests.pipeline.conftest import D1

START, MONTHS = date(2025, 10, 1), 2
LAST_DAY = date(2025, 11, 30) + timedelta(days=1)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path]:
    """A bank whose last day has bad rows in a required feed and a truncated file in an optional one, run to the end."""
    folder = tmp_path_factory.mktemp("faulty")
    simulator.generate(1500, MONTHS, 5, folder, days=1, start=START, faults=True)
    settings = parsed(deployment_at(folder, folder / "landing"))
    pipeline.run(settings)
    return settings, folder / "truth" / "faults.parquet"


def read(settings: Settings, query: str) -> list[tuple]:
    with duckdb.connect(str(settings.warehouse), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.full  # tests of ingestion judge the same kinds of bad rows and files in every run
def test_the_quarantine_is_the_list_of_planted_faults(faulty: tuple[Settings, Path]) -> None:
    settings, truth = faulty
    planted = duckdb.execute(
        'select feed, period, "row", column_name, reason from read_parquet(?) where not whole_file order by all',
        [str(truth)],
    ).fetchall()
    assert planted
    assert (
        read(settings, "select feed, period, source_row, column_name, reason from ops.rejects order by all") == planted
    )


@pytest.mark.full
def test_good_rows_of_the_faulty_file_are_loaded(faulty: tuple[Settings, Path]) -> None:
    settings, _ = faulty
    delivered, loaded, quarantined = read(
        settings,
        "select rows_delivered, rows_loaded, rows_quarantined from ops.deliveries "
        f"where feed = 'transactions' and period = '{LAST_DAY}'",
    )[0]
    (facts,) = read(
        settings, f"select count(*) from marts.fct_transactions where source_file = 'transactions_{LAST_DAY}_v1.dat'"
    )[0]
    assert (delivered, facts) == (loaded + quarantined, loaded)
    assert quarantined > 0


@pytest.mark.full
def test_the_truncated_file_is_rejected_whole_and_the_day_goes_on(faulty: tuple[Settings, Path]) -> None:
    settings, _ = faulty
    rejected = read(settings, "select feed, rows_loaded, reason from ops.deliveries where outcome = 'rejected'")
    assert [(feed, rows) for feed, rows, _ in rejected] == [("app_events", 0)]
    assert f"app_events_{LAST_DAY}_v1.jsonl.gz" in rejected[0][2]
    assert read(settings, "select distinct business_date from ops.publications") == [(LAST_DAY,)]


def test_a_missing_required_feed_stops_the_day_and_readers_keep_yesterday(
    landing: Path, history: Settings, tmp_path: Path
) -> None:
    copied = tmp_path / "landing"
    deliver(landing, copied, D1)
    for manifest in (copied / "balances").glob(f"*{D1}*.manifest.json"):
        manifest.unlink()
    settings = copy_of(history, tmp_path, copied)
    yesterday = content(settings.warehouse)
    with pytest.raises(pipeline.NotReady, match=f"{D1}: required feed balances"):
        pipeline.run(settings, D1, D1)
    assert content(settings.warehouse) == yesterday
    failed = read(settings, "select step from ops.runs where status = 'failed'")
    assert failed == [("check_branch_online_reference_feedback",)]
