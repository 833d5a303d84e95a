"""The audit: one chain, whoever writes to it, in which every change is found."""

import json
import multiprocessing
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import process_time

import pyarrow.parquet as pq
import pytest

from lakehouse.lake import audit
from lakehouse.lake.audit.chain import batches, entry
from lakehouse.lake.audit.sealing import replacing, seal
from lakehouse.lake.files import json_text, write_json
from lakehouse.lake.page_views import Event, Journal, events_folder, read_events
from tests.lakehouse.lake.test_page_views import event

DAY = date(2026, 1, 5)


def a_lake(lake: Path) -> Path:
    """Three batches of records, over records of deliveries, runs and publishes, and page views sealed and not."""
    for number in range(3):
        write_json(lake / "deliveries" / "accounts" / f"2026-01-0{number + 1}.v1-0a.json", {"rows": number})
        write_json(lake / "runs" / f"run-{number}" / "build.json", {"status": "success"})
        write_json(lake / "publishes" / f"{number:08}.json", {"tables": {}})
        audit.append(lake, [entry("export", "snapshot", "S0042"), entry("rights", "roles", "S0042", "客户")])
        journal = Journal(lake)
        journal.append([event(number)])
        seal(lake, f"run-{number}")
        journal.append([event(10 + number), event(20 + number)])
    return lake


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return a_lake(tmp_path / "lake")


def parts_of(lake: Path) -> list[Path]:
    """Every file of the chain, and that it knows."""
    kept = ("audit/chain/*.jsonl", "audit/head.json", "deliveries/**/*.json", "runs/**/*.json", "publishes/*.json")
    return sorted(path for pattern in (*kept, "page_views/**/*.jsonl") for path in lake.glob(pattern))


def test_a_chain_that_nobody_touched_is_whole(lake: Path) -> None:
    found = audit.verify(lake)
    assert found.is_whole
    assert found.records == len(list(audit.read(lake))) == 6 + 3 * 3 + 3 + 2
    assert found.files == 9 + 3
    assert found.unsealed == 0
    assert found.head == audit.head(lake).hash


def test_a_thousand_changes_of_a_single_byte_are_all_found(lake: Path) -> None:
    draw, files, missed = random.Random(19), parts_of(lake), []
    for _ in range(1_000):
        path = draw.choice(files)
        kept = path.read_bytes()
        place = draw.randrange(len(kept))
        changed = bytearray(kept)
        changed[place] ^= draw.randrange(1, 256)
        path.write_bytes(changed)
        if audit.verify(lake).is_whole:
            missed.append((path, place))
        path.write_bytes(kept)
    assert missed == []
    assert audit.verify(lake).is_whole


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "removed from the middle": lambda lines: [*lines[:1], *lines[2:]],
    "removed at the beginning": lambda lines: lines[1:],
    "removed at the end": lambda lines: lines[:-1],
    "put in twice": lambda lines: [*lines[:1], *lines],
    "in another order": lambda lines: [lines[1], lines[0], *lines[2:]],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", [0, 2, -1])
def test_a_record_removed_moved_or_put_in_is_found_and_named(lake: Path, change: str, which: int) -> None:
    path = batches(lake)[which]
    path.write_text("".join(CHANGES[change](lines_of(path))))
    found = audit.verify(lake)
    assert not found.is_whole
    assert found.breaks[0].file.startswith("audit/chain")


@pytest.mark.parametrize("which", [0, 1, -1])
def test_a_batch_that_is_gone_is_found(lake: Path, which: int) -> None:
    batches(lake)[which].unlink()
    assert audit.verify(lake).breaks[0].file.startswith("audit/chain")


@pytest.mark.parametrize("change", CHANGES)
def test_page_views_that_are_not_sealed_yet_are_held_by_their_links(lake: Path, change: str) -> None:
    journal = Journal(lake)
    journal.append([event(number) for number in range(4)])
    (path,) = (file for file in events_folder(lake, DAY).glob("*.jsonl") if len(lines_of(file)) == 4)
    assert audit.verify(lake).is_whole
    path.write_text("".join(CHANGES[change](lines_of(path))))
    # that the last lines of a server were cut off since the last publish shows nowhere; the seal is what holds them
    assert audit.verify(lake).is_whole == (change == "removed at the end")
    path.unlink()
    journal = Journal(lake)
    journal.append([event(number) for number in range(4)])
    seal(lake)
    (path,) = (file for file in events_folder(lake, DAY).glob("*.jsonl") if len(lines_of(file)) == 4)
    path.write_text("".join(CHANGES[change](lines_of(path))))
    assert not audit.verify(lake).is_whole


def test_a_record_that_is_gone_or_forged_anew_is_found(lake: Path) -> None:
    publish = lake / "publishes" / "00000001.json"
    publish.write_text(json_text({"tables": {"marts.t": "other"}}))
    seal(lake)  # does not make good what it has sealed before
    number = record_of(lake, "publishes/00000001.json")
    (found,) = audit.verify(lake).breaks
    assert str(found) == f"publishes/00000001.json: is not the file that record {number} of the audit knows"
    publish.unlink()
    assert "is gone" in audit.verify(lake).breaks[0].what


def record_of(lake: Path, subject: str) -> int:
    return max(record["number"] for record in audit.read(lake) if record["subject"] == subject)


def test_a_record_may_be_written_anew_by_who_says_so(lake: Path) -> None:
    path = lake / "runs" / "run-1" / "build.json"
    replacing(lake, path, json_text({"status": "failed"}), "run-1", "the step ran again")
    write_json(path, {"status": "failed"})
    assert audit.verify(lake).is_whole
    *_, last = audit.read(lake)
    assert (last["kind"], last["by"], last["detail"]) == ("replaced", "run-1", "the step ran again")
    before = audit.head(lake)
    replacing(lake, path, json_text({"status": "failed"}), "run-1", "the step ran again")
    assert audit.head(lake) == before, "what is written as it was is no change"


def test_a_chain_forged_from_its_beginning_is_found_by_its_anchor(lake: Path, tmp_path: Path) -> None:
    anchored = audit.head(lake)
    assert audit.verify(lake, [anchored]).anchors == 1
    shutil.rmtree(lake / "audit")
    for number in range(anchored.number + 5):
        audit.append(lake, [entry("export", f"forged {number}")])
    assert audit.verify(lake).is_whole, "it is a chain like any other"
    assert "anchored" in audit.verify(lake, [anchored]).breaks[0].what
    assert "anchored" in audit.verify(lake, [replace(anchored, number=10_000)]).breaks[0].what


def test_a_head_that_a_killed_process_left_behind_is_no_break(lake: Path) -> None:
    head = (lake / "audit" / "head.json").read_bytes()
    audit.append(lake, [entry("export", "snapshot")])
    (lake / "audit" / "head.json").write_bytes(head)
    assert audit.verify(lake).is_whole
    audit.append(lake, [entry("export", "snapshot")])
    assert json.loads((lake / "audit" / "head.json").read_text())["number"] == audit.head(lake).number


def _append_some(lake: Path, who: int) -> None:
    journal = Journal(lake)
    for number in range(20):
        audit.append(lake, [entry("export", f"{who}-{number}-{part}") for part in range(2)])
        journal.append([event(100 * who + number)])


def test_processes_that_append_at_once_make_one_chain_and_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_append_some, args=(tmp_path, who)) for who in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert audit.verify(tmp_path).is_whole
    subjects = [record["subject"] for record in audit.read(tmp_path)]
    assert sorted(subjects) == sorted(
        f"{who}-{number}-{part}" for who in range(6) for number in range(20) for part in (0, 1)
    )
    assert len(read_events(tmp_path, DAY)) == 120
    seal(tmp_path)
    assert audit.verify(tmp_path).files == 6


def test_a_page_view_costs_little_more_than_its_line(tmp_path: Path) -> None:
    journal, events = Journal(tmp_path), [event(number) for number in range(500)]
    journal.append([event(0)])
    began = process_time()
    for one in events:
        journal.append([one])
    assert (process_time() - began) / len(events) < 0.002
    assert not (tmp_path / "audit").exists(), "nobody waits for the chain"


def test_the_links_are_no_part_of_an_event(tmp_path: Path) -> None:
    Journal(tmp_path).append([event(1)])
    assert read_events(tmp_path, DAY) == [event(1)]
    assert set(read_events(tmp_path, DAY)[0]) == set(Event.__annotations__)


def test_the_last_records_are_gathered_for_readers(lake: Path) -> None:
    for number in range(7):
        (path,) = audit.gather(lake)
        assert pq.read_table(path)["record_hash"].to_pylist() == [record["hash"] for record in audit.read(lake)]
        assert audit.gather(lake) == (path,)
        audit.append(lake, [entry("export", f"snapshot {number}")])
    assert len(list(path.parent.glob("*.parquet"))) == 5
    assert audit.gather(lake.parent / "new") == ()


def test_what_somebody_changes_who_may_is_sealed_anew_and_nothing_else(lake: Path) -> None:
    """As a rotation of the secret, or an erasure, does; what was wrong before stays wrong."""
    forged, rewritten, gone = (lake / "publishes" / f"{number:08}.json" for number in range(3))
    forged.write_text("{}")
    broken = {found.file for found in audit.verify(lake).breaks}
    rewritten.write_text('{"tables": {"marts.t": "new token"}}')
    gone.unlink()
    (journal, *_) = lake.glob("page_views/**/*.jsonl")
    journal.write_text(journal.read_text().replace("cif:1", "cif:0"))
    assert audit.reseal(lake, "operator", "the secret was rotated", broken) == 3
    assert [found.file for found in audit.verify(lake).breaks] == ["publishes/00000000.json"]
    assert audit.reseal(lake, "operator", "the secret was rotated", broken) == 0
    journal.write_text(journal.read_text().replace("cif:0", "cif:2"))
    assert len(audit.verify(lake).breaks) == 2
