"""A record of figures has what is new or different since the records before it, and what brought that about."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.lake import write_outcome
from lakehouse.lake.figures import Cause, causes_since_publish, latest, read_figures, write_figures
from lakehouse.lake.publishes import PublishRecord, write_publish
from tests.lakehouse.lake.test_deliveries import DELIVERY

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
POSTINGS = "marts.t", "posting_count"


def test_a_record_has_what_differs_and_what_is_gone(tmp_path: Path) -> None:
    write_figures(tmp_path, 1, FIRST, {(*POSTINGS, FIRST): Decimal("3.00"), (*POSTINGS, SECOND): Decimal(9)}, ())
    cause = Cause("transactions/2026-01-05/v2-000000000000", "came", FIRST)
    write_figures(tmp_path, 3, SECOND, {(*POSTINGS, FIRST): Decimal("2.50")}, (cause,))
    write_figures(tmp_path, 4, SECOND, {(*POSTINGS, FIRST): Decimal("2.5")}, ())
    first, second, same = read_figures(tmp_path)
    assert (first.publish_id, first.business_date, len(first.changes), first.causes) == (1, FIRST, 2, ())
    assert second.changes == {(*POSTINGS, FIRST): Decimal("2.50"), (*POSTINGS, SECOND): None}
    assert second.causes == (cause,) and same.changes == {}
    assert latest([first, second, same]) == second.changes


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
