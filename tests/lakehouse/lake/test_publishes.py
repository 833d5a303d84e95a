"""Records of publishes hold the news of their day alone, and say together what each publish was made from."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from lakehouse.errors import Stop
from lakehouse.lake.publishes import WHOLE_EVERY, PublishRecord, read_publish, write_publish

FIRST = PublishRecord(
    publish_id=1,
    business_date=date(2025, 1, 1),
    run_id="r",
    target="duckdb",
    project="p",
    token_fingerprint="t",
    deliveries=("a/2025-01-01/v1", "b/2025-01-01/v1"),
    refused={"c/2025-01-01/v1": "rejected"},
    tables={"marts.t": "h1"},
)


def file_of(lake: Path, number: int) -> Path:
    return lake / "publishes" / f"{number:08}.json"


def previous_of(lake: Path, number: int) -> int | None:
    return json.loads(file_of(lake, number).read_text())["previous"]


def days(lake: Path, count: int) -> list[PublishRecord]:
    """Records of as many days, each with one delivery more."""
    records = [FIRST]
    for number in range(2, count + 1):
        day = FIRST.business_date + timedelta(days=number - 1)
        records.append(
            replace(
                records[-1],
                publish_id=number,
                business_date=day,
                deliveries=tuple(sorted((*records[-1].deliveries, f"a/{day}/v1"))),
                tables={"marts.t": f"h{number}"},
            )
        )
    for record in records:
        write_publish(lake, record)
    return records


def test_each_record_is_read_as_it_was_written_and_is_as_large_as_its_day(tmp_path: Path) -> None:
    records = days(tmp_path, 40)
    assert [read_publish(tmp_path, record.publish_id) for record in records] == records
    assert read_publish(tmp_path) == records[-1]
    sizes = [file_of(tmp_path, number).stat().st_size for number in (2, 40)]
    assert sizes[1] <= sizes[0] + 10  # digits of its numbers


def test_one_record_in_so_many_names_all_deliveries_so_that_none_is_read_with_all_before_it(tmp_path: Path) -> None:
    """The oldest are spoilt: who opened one would stop, or write a record that stands alone."""
    records = days(tmp_path, 3 * WHOLE_EVERY)
    for number in range(1, 2 * WHOLE_EVERY + 1):
        file_of(tmp_path, number).write_text("{")
    assert [read_publish(tmp_path, record.publish_id) for record in records[-WHOLE_EVERY:]] == records[-WHOLE_EVERY:]
    alone = [
        number for number in range(2 * WHOLE_EVERY + 1, 3 * WHOLE_EVERY + 1) if previous_of(tmp_path, number) is None
    ]
    assert alone == [2 * WHOLE_EVERY + 1]


def test_a_delivery_may_be_accepted_retracted_or_go(tmp_path: Path) -> None:
    write_publish(tmp_path, FIRST)
    turned = replace(
        FIRST,
        publish_id=3,
        deliveries=("b/2025-01-01/v1", "c/2025-01-01/v1"),
        refused={"d/2025-01-02/v1": "rejected", "a/2025-01-01/v1": "retracted"},
    )
    write_publish(tmp_path, turned)
    emptied = replace(FIRST, publish_id=4, deliveries=("b/2025-01-01/v1",), refused={})
    write_publish(tmp_path, emptied)
    assert [read_publish(tmp_path, number) for number in (1, 3, 4)] == [FIRST, turned, emptied]


def test_records_that_name_all_deliveries_are_read_and_carried_on(tmp_path: Path) -> None:
    old = {**vars(FIRST), "business_date": "2025-01-01"}
    file_of(tmp_path, 1).parent.mkdir()
    file_of(tmp_path, 1).write_text(json.dumps(old))
    after = replace(FIRST, publish_id=2, deliveries=(*FIRST.deliveries, "e/2025-01-02/v1"))
    write_publish(tmp_path, after)
    assert [read_publish(tmp_path, number) for number in (1, 2)] == [FIRST, after]
    assert json.loads(file_of(tmp_path, 2).read_text())["deliveries"] == ["e/2025-01-02/v1"]


def test_a_lost_record_is_named_and_what_is_published_after_it_stands_alone(tmp_path: Path) -> None:
    records = days(tmp_path, 3)
    file_of(tmp_path, 2).write_text("{")
    assert read_publish(tmp_path, 1) == records[0]
    with pytest.raises(Stop, match=r"00000002\.json: the record of a publish is lost or damaged"):
        read_publish(tmp_path, 3)
    after = replace(records[2], publish_id=4)
    write_publish(tmp_path, after)
    assert read_publish(tmp_path, 4) == after
