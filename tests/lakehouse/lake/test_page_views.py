"""The journal of the workbench: what is appended is kept, once, whatever is killed."""

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from lakehouse.lake.page_views import Event, Journal, days_of_events, events_folder, gather, read_events

DAY = date(2026, 1, 5)


def event(number: int, day: date = DAY) -> Event:
    return Event(
        event_id=f"{number}-0",
        happened_at="2026-11-29T08:30:00.000",
        business_date=str(day),
        publish_id=7,
        user_name="S0001",
        role_name="branch_manager",
        event_kind="view",
        page="customer",
        customer_key="cif:1",
        detail=None,
        delivered=None,
    )


def test_events_of_two_servers_are_gathered_once_in_one_file(tmp_path: Path) -> None:
    Journal(tmp_path).append([event(1), event(2)])
    Journal(tmp_path).append([event(3)])
    (path,) = gather(tmp_path, DAY, DAY)
    assert sorted(pq.read_table(path)["event_id"].to_pylist()) == ["1-0", "2-0", "3-0"]
    assert gather(tmp_path, DAY, DAY) == [path]
    Journal(tmp_path).append([event(4)])
    (later,) = gather(tmp_path, DAY, DAY)
    assert later > path, "the file that was there stays as it was"
    assert pq.read_metadata(later).num_rows == 4


def test_half_a_line_of_a_killed_server_is_no_event(tmp_path: Path) -> None:
    Journal(tmp_path).append([event(1)])
    (file,) = events_folder(tmp_path, DAY).glob("*.jsonl")
    with file.open("a") as torn:
        torn.write('{"event_id": "2-')
    assert [one["event_id"] for one in read_events(tmp_path, DAY)] == ["1-0"]
    assert pq.read_metadata(gather(tmp_path, DAY, DAY)[0]).num_rows == 1


def test_days_outside_are_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for day in (date(2026, 1, 4), DAY, date(2026, 1, 6)):
        journal.append([event(1, day)])
    assert days_of_events(tmp_path, DAY) == [date(2026, 1, 4), DAY]
    assert len(gather(tmp_path, DAY, DAY)) == 1


def test_only_its_owner_may_read_the_journal(tmp_path: Path) -> None:
    Journal(tmp_path).append([event(1)])
    (file,) = events_folder(tmp_path, DAY).glob("*.jsonl")
    assert file.stat().st_mode & 0o077 == 0
