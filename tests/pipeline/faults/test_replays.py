"""Files that land again, dates in another order, a lake file that was changed: readers get the same, or nothing."""

import os
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from c360 import pipeline
from c360.reproduction import reproduce
from lakehouse import ingestion, warehouse
from lakehouse.lake.integrity import Tampered
from lakehouse.lake.publishes import PublishRecord, read_publish
from lakehouse.settings import Settings
from tests.faults_table import Fault
from tests.pipeline.bank import copy_of, deployment_at, lines_of, redeliver
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, D2, D3, LAST_OF_HISTORY

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
Figure = tuple[str, date]  # measure, day


@pytest.mark.faults("same_file")
def test_the_same_files_land_again(install: Install, fault: Fault) -> None:
    installation = install()
    installation.recovers(D1)
    landed = [path for path in installation.settings.landing.rglob(f"*_{D1}_*") if path.is_file()]
    for path in landed:
        os.utime(path)
    fault.injections = len(landed)
    assert ingestion.ingest_feed(installation.settings, "transactions", D1) == []
    installation.recovers(D1)
    installation.sees(LAST_OF_HISTORY, D1)


@pytest.mark.faults("orders")
def test_dates_run_in_another_order(on_duckdb: Install, fault: Fault) -> None:
    """The last date first, with all before it; then earlier ones, each of which is built forward to the last."""
    installation, fault.injections = on_duckdb(), 3
    for day in (D3, D1, D2):
        pipeline.run(installation.settings, day, day)
        installation.sees(LAST_OF_HISTORY, D3)
    installation.equals(D3)


@pytest.mark.faults("missing_days")
def test_a_missing_required_feed_stops_the_day(on_duckdb: Install, tmp_path: Path) -> None:
    made = on_duckdb()
    settings = made.settings.model_copy(update={"landing": tmp_path / "landing"})
    shutil.copytree(made.settings.landing, settings.landing)
    (manifest,) = (settings.landing / "balances").glob(f"*{D1}*.manifest.json")
    manifest.rename(tmp_path / manifest.name)
    with pytest.raises(pipeline.NotReady, match=f"{D1}: required feed balances"):
        pipeline.run(settings, D1, D1)
    made.sees(LAST_OF_HISTORY, D1)
    (tmp_path / manifest.name).rename(manifest)
    pipeline.run(settings, D1, D1)
    made.equals(D1)


@dataclass(frozen=True)
class Late:
    """The bank after its second day, with which a row of the month before came, and the first day without its last."""

    settings: Settings
    answered: PublishRecord  # what readers had after the first day
    figures: dict[Figure, Decimal]  # that they had then
    moved: dict[Figure, Decimal]  # and by how much the two rows move them


@pytest.fixture(scope="module")
def late(small: Path, tmp_path_factory: pytest.TempPathFactory) -> Late:
    folder = tmp_path_factory.mktemp("late")
    shutil.copytree(small / "landing", folder / "landing")
    settings = copy_of(deployment_at(small / "base", small / "landing"), folder, folder / "landing")
    pipeline.run(settings, D1, D1)
    answered, figures = read_publish(settings.lake), figures_of(settings)
    second, first = (lines_of(settings.landing, "transactions", str(day)) for day in (D2, D1))
    earlier = LAST_OF_HISTORY - timedelta(days=1)
    late_row = second[1].replace(str(D2), str(earlier))
    redeliver(settings.landing, "transactions", str(D2), 1, [second[0], late_row, *second[2:]], D2)
    redeliver(settings.landing, "transactions", str(D1), 2, first[:-1], D2)
    pipeline.run(settings, D2, D2)
    at = second[0].split("|").index("amount")
    moved = {("posting_count", earlier): Decimal(1), ("posting_count", D1): Decimal(-1)}
    moved[("posting_amount", earlier)] = Decimal(late_row.split("|")[at])
    moved[("posting_amount", D1)] = -Decimal(first[-1].split("|")[at])
    return Late(settings, answered, figures, moved)


def figures_of(settings: Settings) -> dict[Figure, Decimal]:
    """What readers have of each day's postings."""
    rows = warehouse.query_serving(
        settings, "select * from marts.daily_figures where table_name = 'marts.fct_balances_daily'"
    )
    return {(row["measure"], row["figure_date"]): row["figure_value"] for row in rows.to_pylist()}


@pytest.mark.faults("late_rows")
def test_what_was_answered_before_late_rows_came_is_answered_again(late: Late, fault: Fault) -> None:
    fault.injections = 2
    now = read_publish(late.settings.lake)
    assert now.tables["marts.fct_transactions"] != late.answered.tables["marts.fct_transactions"]
    done = reproduce(late.settings, late.answered.publish_id)
    assert [table.table for table in done.tables if not table.is_equal] == []
    fault.content = "equal"
    fault.balances(late.settings)
    fault.accounts_for(late.settings)


@pytest.mark.faults("differences", holds=("content",))
def test_what_a_late_and_a_corrected_row_changed_is_told_to_the_cent(late: Late, fault: Fault) -> None:
    fault.injections = 2
    rows = warehouse.query_serving(
        late.settings, "select * from ops.restatements where measure in ('posting_count', 'posting_amount')"
    ).to_pylist()
    told = {(row["measure"], row["figure_date"]): (row["value_before"], row["value_after"]) for row in rows}
    assert len(told) == len(rows)
    assert told == {key: (late.figures[key], late.figures[key] + change) for key, change in late.moved.items()}
    assert all(figures_of(late.settings)[key] == after for key, (_, after) in told.items())
    assert all(f"transactions/{D2}/v1-" in row["deliveries"] for row in rows if row["figure_date"] < D1)
    assert all(f"transactions/{D1}/v2-" in row["deliveries"] for row in rows if row["figure_date"] == D1)
    fault.balances(late.settings)
    fault.accounts_for(late.settings)


@pytest.mark.faults("lake_file")
def test_a_lake_file_is_not_what_it_was(on_duckdb: Install, fault: Fault) -> None:
    """Nothing is built of it; once it is away, or lost, the next run takes its delivery in again."""
    installation, fault.injections = on_duckdb(), 3
    (path,) = (installation.settings.lake / "raw" / "transactions").rglob("period=2025-03/*.parquet")
    data = path.read_bytes()
    for harmed in (data[:-9] + b"x" + data[-8:], data[: len(data) // 2]):
        path.write_bytes(harmed)
        with pytest.raises(Tampered, match="is not the file that ingestion wrote"):
            pipeline.run(installation.settings, D1, D1)
        installation.sees(LAST_OF_HISTORY, D1)
    path.unlink()
    installation.recovers(D1)
