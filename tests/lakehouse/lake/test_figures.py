"""A record of figures has what is new or different since the records before it, and what brought that about."""

import shutil
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.lake import write_outcome
from lakehouse.lake.figures import Cause, Key, causes_since_publish, gather, write_figures
from lakehouse.lake.figures.gathering import KEPT
from lakehouse.lake.figures.records import FigureRecord, read_record, record_files
from lakehouse.lake.publishes import PublishRecord, write_publish
from tests.lakehouse.lake.test_deliveries import DELIVERY

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
POSTINGS = "marts.t", "posting_count"


def read_figures(lake: Path) -> list[FigureRecord]:
    return [read_record(path) for path in record_files(lake)]


def test_a_record_has_what_differs_and_what_is_gone(tmp_path: Path) -> None:
    write_figures(tmp_path, 1, FIRST, {(*POSTINGS, FIRST): Decimal("3.00"), (*POSTINGS, SECOND): Decimal(9)}, ())
    cause = Cause("transactions/2026-01-05/v2-000000000000", "came", FIRST)
    write_figures(tmp_path, 3, SECOND, {(*POSTINGS, FIRST): Decimal("2.50")}, (cause,))
    write_figures(tmp_path, 4, SECOND, {(*POSTINGS, FIRST): Decimal("2.5")}, ())
    first, second, same = read_figures(tmp_path)
    assert (first.publish_id, first.business_date, len(first.changes), first.causes) == (1, FIRST, 2, ())
    assert second.changes == {(*POSTINGS, FIRST): Decimal("2.50"), (*POSTINGS, SECOND): None}
    assert second.causes == (cause,) and same.changes == {}
    gathered = gather(tmp_path)
    assert gathered.latest == second.changes
    assert gathered.shown["publish_id"].to_pylist() == [1, 1, 3, 3]
    assert [row["delivery_id"] for row in gathered.causes.to_pylist()] == [cause.delivery_id]


def test_written_again_a_record_stays_what_it_is(tmp_path: Path) -> None:
    for publish_id, value in ((1, 3), (2, 4), (2, 4)):
        write_figures(tmp_path, publish_id, FIRST, {(*POSTINGS, FIRST): Decimal(value)}, ())
    assert [record.changes for record in read_figures(tmp_path)] == [
        {(*POSTINGS, FIRST): Decimal(3)}, {(*POSTINGS, FIRST): Decimal(4)},
    ]  # fmt: skip


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "00000001.json").write_text("{")
    with pytest.raises(Stop, match=r"00000001.json: the record of a publish's figures is damaged"):
        read_figures(tmp_path)


def days(lake: Path, first: int, last: int) -> dict[Key, Decimal]:
    """A record per day, each of a new figure and of one that is restated; what the last one showed."""
    shown: dict[Key, Decimal] = {}
    for number in range(1, last + 1):
        day = FIRST + timedelta(days=number)
        shown |= {(*POSTINGS, day): Decimal(number), (*POSTINGS, FIRST): Decimal(number)}
        if number >= first:
            write_figures(lake, number, day, shown, (Cause(f"transactions/{day}/v1", "came", day),))
    return shown


def folders(lake: Path) -> list[str]:
    return sorted(folder.name for folder in (lake / "figures" / "gathered").iterdir())


def test_a_day_reads_the_record_of_the_day_before_and_no_older_one(tmp_path: Path) -> None:
    """Those of before are spoilt: who opened one would stop."""
    days(tmp_path, 1, 30)
    assert gather(tmp_path).shown.num_rows == 60
    for path in sorted((tmp_path / "figures").glob("*.json"))[:-1]:
        path.write_text("{")
    shown = days(tmp_path, 31, 33)
    gathered = gather(tmp_path)
    assert gathered.latest == shown
    assert gathered.shown["publish_id"].to_pylist() == [number for number in range(1, 34) for _ in range(2)]
    assert gathered.causes["publish_id"].to_pylist() == list(range(1, 34))
    assert len(folders(tmp_path)) == KEPT


def test_what_is_gathered_is_made_anew_where_it_is_lost_damaged_or_of_other_records(tmp_path: Path) -> None:
    days(tmp_path, 1, 4)
    whole = gather(tmp_path)
    (*_, newest) = folders(tmp_path)
    (tmp_path / "figures" / "gathered" / newest / "published_figures.parquet").write_bytes(b"PAR1")
    assert gather(tmp_path) == whole and folders(tmp_path)[-1] == newest
    shutil.rmtree(tmp_path / "figures" / "gathered")
    assert gather(tmp_path) == whole
    (tmp_path / "figures" / "00000004.json").unlink()  # as an older backup has it
    assert gather(tmp_path).shown["publish_id"].to_pylist() == [1, 1, 2, 2, 3, 3]
    write_figures(tmp_path, 4, SECOND, {(*POSTINGS, FIRST): Decimal(7)}, ())
    assert gather(tmp_path).latest[*POSTINGS, FIRST] == 7
    assert newest not in folders(tmp_path)


def test_the_causes_are_what_came_and_went_since_the_publish(tmp_path: Path) -> None:
    """A second version came without a late row, an older delivery was retracted, and a snapshot came."""
    gone = replace(DELIVERY, period="2026-01-04", source_hash="c" * 64, cutoff_date=date(2026, 1, 4))
    for taken_in in (DELIVERY, gone):
        write_outcome(tmp_path, taken_in)
    assert causes_since_publish(tmp_path, lake.pin(tmp_path, FIRST)) == ()
    known = tuple(sorted(one.delivery_id for one in (DELIVERY, gone)))
    write_publish(tmp_path, PublishRecord(1, FIRST, "r", "duckdb", "p", "t", known, {}, {"marts.t": "h"}))
    assert causes_since_publish(tmp_path, lake.pin(tmp_path, FIRST)) == ()
    newer = replace(
        DELIVERY, version=2, source_hash="b" * 64, cutoff_date=SECOND, outcome="replaced", min_business_date=FIRST
    )
    snapshot = replace(DELIVERY, feed="products", channel="reference", period=str(SECOND), cutoff_date=SECOND)
    for taken_in in (newer, snapshot):
        write_outcome(tmp_path, taken_in)
    lake.decide(tmp_path, "retractions", gone.delivery_id, lake.Decision("S0042", "a mistake"))
    assert causes_since_publish(tmp_path, lake.pin(tmp_path, SECOND)) == (
        Cause(snapshot.delivery_id, "came", None),
        Cause(gone.delivery_id, "retracted", gone.min_business_date),
        Cause(newer.delivery_id, "came", DELIVERY.min_business_date),  # a late row that it leaves out counts
    )
