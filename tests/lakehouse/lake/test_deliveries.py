"""The pin lists what is known by a date; files of the lake appear whole or not at all."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from lakehouse.lake import Outcome, appearing, pin, read_outcomes, write_outcome
from lakehouse.lake.dates import as_of_grid, built_dates

DELIVERY = Outcome(
    feed="transactions",
    channel="branch",
    period="2026-01-05",
    version=1,
    load="daily",
    source_hash="a" * 64,
    cutoff_date=date(2026, 1, 5),
    outcome="loaded",
    reason=None,
    rows_delivered=3,
    rows_loaded=3,
    rows_quarantined=0,
    min_business_date=date(2026, 1, 4),
    max_business_date=date(2026, 1, 5),
    late_rows=1,
    lake_file="raw/transactions/period=2026-01-05/v1-aaaaaaaaaaaa.parquet",
    quarantine_file=None,
    files=("transactions_2026-01-05_v1.dat",),
)


def spans(lake: Path, day: date) -> dict[str, date | None]:
    return {item.outcome.delivery_id: item.superseded_date for item in pin(lake, day).deliveries}


def test_an_outcome_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write_outcome(tmp_path, DELIVERY)
    assert read_outcomes(tmp_path) == [DELIVERY]


def test_a_newer_version_takes_over_on_the_day_it_is_known(tmp_path: Path) -> None:
    newer = replace(DELIVERY, version=2, source_hash="b" * 64, cutoff_date=date(2026, 1, 7), outcome="replaced")
    for outcome in (DELIVERY, newer):
        write_outcome(tmp_path, outcome)
    assert spans(tmp_path, date(2026, 1, 4)) == {}
    assert spans(tmp_path, date(2026, 1, 6)) == {DELIVERY.delivery_id: None}
    assert spans(tmp_path, date(2026, 1, 7)) == {DELIVERY.delivery_id: date(2026, 1, 7), newer.delivery_id: None}
    assert pin(tmp_path, date(2026, 1, 6)).hash != pin(tmp_path, date(2026, 1, 7)).hash


def test_a_snapshot_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    first = replace(DELIVERY, feed="products", channel="reference", period="2025-12", cutoff_date=date(2025, 12, 31))
    second = replace(first, period="2026-01-05", cutoff_date=date(2026, 1, 5))
    for outcome in (first, second):
        write_outcome(tmp_path, outcome)
    assert spans(tmp_path, date(2026, 1, 5)) == {first.delivery_id: date(2026, 1, 5), second.delivery_id: None}


def test_a_rejected_delivery_is_listed_but_not_read(tmp_path: Path) -> None:
    write_outcome(tmp_path, replace(DELIVERY, outcome="rejected", reason="truncated", lake_file=None))
    known = pin(tmp_path, date(2026, 1, 5))
    assert not known.deliveries
    assert [outcome.reason for outcome in known.rejected] == ["truncated"]


def test_the_grid_has_month_ends_with_history_and_every_built_date(tmp_path: Path) -> None:
    for month, end in (("2025-06", date(2025, 6, 30)), ("2026-01", date(2026, 1, 31))):
        start = end.replace(day=1)
        write_outcome(
            tmp_path, replace(DELIVERY, load="initial", period=month, cutoff_date=end, min_business_date=start)
        )
    write_outcome(tmp_path, replace(DELIVERY, period="2026-02-02", cutoff_date=date(2026, 2, 2)))
    known = pin(tmp_path, date(2026, 2, 2))
    assert built_dates(known) == [date(2026, 1, 31), date(2026, 2, 2)]
    assert as_of_grid(known) == [
        date(2025, 11, 30),
        date(2025, 12, 31),
        date(2026, 1, 31),
        date(2026, 2, 2),
    ]


def test_a_file_whose_writer_fails_never_appears(tmp_path: Path) -> None:
    def fail() -> None:
        with appearing(tmp_path / "file.parquet") as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []
