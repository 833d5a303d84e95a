"""What an erasure replaced or removed: a line is on the disk before the file is renamed, so a kill can be mended."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

from lakehouse import lake
from lakehouse.ingestion.erased import Effect
from lakehouse.lake import Outcome
from lakehouse.lake.deliveries import read_outcome
from lakehouse.lake.erasures import ErasedFile, work_folder
from lakehouse.lake.files import digest


class Journal:
    """What was replaced or removed: a line is on the disk before the file is renamed.

    Records of deliveries follow: they have the digests and the counts of their files.
    """

    def __init__(self, root: Path) -> None:
        self.folder, self._root = work_folder(root), root
        self._path = self.folder / "journal.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self.files = [ErasedFile(**json.loads(line)) for line in lines]
        taken = [read_outcome(root, outcome.delivery_id) for outcome in lake.read_outcomes(root)]
        self._delivery_of = {
            name: outcome.delivery_id for outcome in taken for name in (outcome.lake_file, outcome.quarantine_file)
        }
        for entry in self.files:  # a killed call has renamed the last, and may not have told the record
            self._settle(entry)

    def replace(self, root: Path, file: Path, place: str, made: Path, effect: Effect) -> None:
        """Put the new file in the place of the old one, and tell the record of its delivery."""
        path = root / file
        made.chmod(path.stat().st_mode & 0o777)
        entry = ErasedFile(str(file), place, digest(path), digest(made), *counts_of(effect))
        self._write(entry)
        with made.open("rb") as written:
            os.fsync(written.fileno())
        made.replace(path)
        self._settle(entry)

    def note(self, entry: ErasedFile) -> None:
        """Note what was replaced in a folder of backups."""
        self._write(entry)

    def remove(self, root: Path, file: Path, place: str) -> None:
        """Remove a file."""
        self._write(ErasedFile(str(file), place, digest(root / file), None))
        (root / file).unlink()

    def _settle(self, entry: ErasedFile) -> None:
        """Tell the record of a delivery of its file, once."""
        delivery_id = self._delivery_of.get(entry.file)
        if entry.place != "lake" or delivery_id is None or digest(self._root / entry.file) != entry.after:
            return
        outcome = read_outcome(self._root, delivery_id)
        if (told := settled(outcome, entry)) != outcome:
            lake.write_outcome(self._root, told, "people were erased from the delivery")

    def _write(self, entry: ErasedFile) -> None:
        """Note it; what a killed call has noted and not done is noted again."""
        self.files = [*(known for known in self.files if (known.place, known.file) != (entry.place, entry.file)), entry]
        with self._path.open("a") as journal:
            journal.write(json.dumps(asdict(entry), default=str, ensure_ascii=False) + "\n")
            journal.flush()
            os.fsync(journal.fileno())


def counts_of(effect: Effect) -> tuple[int, int, dict[str, str]]:
    """What an entry has of an effect."""
    return effect.rows_dropped, effect.rows_blanked, dict(effect.control_sums)


def settled(outcome: Outcome, entry: ErasedFile) -> Outcome:
    """The record of a delivery with digest and counts of its file that was written anew; once, if told twice."""
    if entry.file == outcome.lake_file and outcome.lake_sha256 != entry.after:
        return replace(
            outcome,
            lake_sha256=entry.after,
            rows_loaded=outcome.rows_loaded - entry.rows_dropped,
            rows_erased=outcome.rows_erased + entry.rows_dropped,
            is_erased=True,
        )
    if entry.file == outcome.quarantine_file and outcome.quarantine_sha256 != entry.after:
        return replace(outcome, quarantine_sha256=entry.after, is_erased=True)
    return outcome
