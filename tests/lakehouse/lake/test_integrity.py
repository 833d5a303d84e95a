"""A file of the lake that is not what ingestion wrote is named, and nothing is built of it."""

import json
import os
import shutil
from datetime import date
from functools import partial
from pathlib import Path

import pytest

from c360 import pipeline
from lakehouse import lake, warehouse
from lakehouse.contracts import CHANNELS
from lakehouse.lake.integrity import Tampered, require_intact, verify
from lakehouse.settings import Settings
from tests.lakehouse.ingestion.bank import DAY, Bank, postings


@pytest.fixture
def bank(settings: Settings) -> Bank:
    return Bank(settings)


@pytest.fixture
def file(bank: Bank) -> Path:
    """Of a delivery with a bad row, seen by a run."""
    bank.deliver("transactions", postings({}, {}, {"direction": "X"}))
    (outcome,) = bank.ingest("transactions")
    _run(bank)
    return outcome.rows_path(bank.settings.lake)


def _run(bank: Bank) -> None:
    require_intact(bank.settings, lake.pin(bank.settings.lake, date.fromisoformat(DAY)))


def _spoil(path: Path, at: int = 10) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["raw", "quarantine"])
@pytest.mark.parametrize("at", [0, 100, -1])
@pytest.mark.faults("lake_file", store="lake")
def test_a_changed_byte_is_found_and_the_file_is_named(bank: Bank, file: Path, kind: str, at: int) -> None:
    path = bank.settings.lake / kind / file.relative_to(bank.settings.lake / "raw")
    _spoil(path, at)
    with pytest.raises(Tampered, match=f"{path} is not the file"):
        warehouse.attach(bank.settings, lake.pin(bank.settings.lake, date.fromisoformat(DAY)), None)
    assert verify(bank.settings).changed == (str(path.relative_to(bank.settings.lake)),)


@pytest.mark.faults("lake_file", store="lake")
def test_another_file_of_the_same_size_and_time_is_found_by_verify(bank: Bank, file: Path) -> None:
    """A run does not read what looks as it did; the full verification does."""
    before = file.stat()
    _spoil(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    _run(bank)
    assert verify(bank.settings).changed


@pytest.mark.faults("lake_file", store="lake")
def test_a_longer_a_shorter_and_an_empty_file(bank: Bank, file: Path) -> None:
    whole = file.read_bytes()
    for content in (whole + b"x", whole[:-1], b""):
        file.write_bytes(content)
        with pytest.raises(Tampered):
            _run(bank)
    file.write_bytes(whole)
    _run(bank)


@pytest.mark.faults("lake_file", store="lake")
def test_a_torn_file_stops_the_first_step_that_reads_the_lake(bank: Bank, file: Path, tmp_path: Path) -> None:
    """The gate landing -> raw reads figures out of the files themselves; a torn one has none."""
    deployment = tmp_path / "one_feed.yml"
    deployment.write_text("name: one_feed\ncurrency: CNY\nutc_offset: '+08:00'\nrequired: [transactions]\n")
    settings = bank.settings.model_copy(update={"deployment": deployment})
    check = partial(pipeline.check_delivered, settings, date.fromisoformat(DAY), CHANNELS)
    check("a whole file")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(Tampered, match=f"{file} is not the file that ingestion wrote: put it back"):
        check("a torn one")


@pytest.mark.faults("lake_file", store="lake")
def test_a_lost_file_is_named_and_comes_again_from_landing(bank: Bank, file: Path) -> None:
    file.unlink()
    with pytest.raises(Tampered, match=f"{file} is gone"):
        _run(bank)
    assert len(verify(bank.settings).lost) == 1
    bank.ingest("transactions")
    _run(bank)
    assert (verify(bank.settings).intact, verify(bank.settings).lost) == (2, ())


def test_a_lake_that_was_copied_or_restored_is_the_same(bank: Bank, file: Path) -> None:
    copied = bank.settings.lake.with_name("copied")
    shutil.copytree(bank.settings.lake, copied, copy_function=shutil.copyfile)
    other = Bank(bank.settings.model_copy(update={"lake": copied}))
    _run(other)
    assert verify(other.settings).intact == 2


def test_a_file_that_was_seen_is_not_read_again(bank: Bank, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.lake.integrity.digest", None)
    _run(bank)


def test_a_record_without_digests_is_counted(bank: Bank, file: Path) -> None:
    """An older version wrote none."""
    (record,) = (bank.settings.lake / "deliveries" / "transactions").glob("*.json")
    facts = json.loads(record.read_text())
    record.write_text(json.dumps({name: value for name, value in facts.items() if not name.endswith("_sha256")}))
    _run(bank)
    assert (verify(bank.settings).without_digest, verify(bank.settings).intact) == (2, 0)
