"""Whether the lake's files are those that ingestion wrote: each delivery's record has their SHA-256.

A run trusts a file whose size and time of change it has seen with the right digest, and reads any other; `verify` reads
them all. This finds slips, disks and half restores; it does not stop somebody who can write records, too.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import Stop
from lakehouse.lake.deliveries import Outcome, Pin, read_outcomes
from lakehouse.lake.erasures import work_folder
from lakehouse.lake.files import digest, write_json
from lakehouse.settings import Settings


class Tampered(Stop):
    """A lake file is not what ingestion wrote, or is gone."""


@dataclass(frozen=True)
class Verified:
    """What a full verification found; files are relative to the lake."""

    intact: int
    without_digest: int  # of deliveries that an older version took in
    changed: tuple[str, ...]
    lost: tuple[str, ...]


def require_intact(settings: Settings, pin: Pin) -> None:
    """Look at every file of the pin; read those that are new or look changed.

    Raises
    ------
    Tampered
        If a file was changed or lost; the message names it and what to do.
    """
    if work_folder(settings.lake).exists():
        raise Stop(f"an erasure from {settings.lake} was cut short", "c360 erase with the same key finishes it")
    path = settings.build.with_name(f"{settings.build.stem}.seen.json")
    seen: dict[str, list] = json.loads(path.read_text()) if path.exists() else {}
    now = {}
    for name, expected in _sealed([*(item.outcome for item in pin.deliveries), *pin.rejected]):
        file = settings.lake / name
        try:
            facts = file.stat()
        except FileNotFoundError:
            raise _lost(file) from None
        now[name] = [facts.st_size, facts.st_mtime_ns, expected]
        if now[name] != seen.get(name) and expected and digest(file) != expected:
            raise Tampered(
                f"{file} is not the file that ingestion wrote",
                "put it back from a backup, or remove it: the next run takes the delivery in again from landing",
            )
    if now != seen:
        write_json(path, now)


def verify(settings: Settings) -> Verified:
    """Read every file of every delivery and hold it against the record."""
    intact, without, changed, lost = 0, 0, [], []
    for name, expected in _sealed(read_outcomes(settings.lake)):
        file = settings.lake / name
        if not file.exists():
            lost.append(name)
        elif not expected:
            without += 1
        elif digest(file) == expected:
            intact += 1
        else:
            changed.append(name)
    return Verified(intact, without, tuple(changed), tuple(lost))


def _sealed(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, str | None]]:
    """(file, digest) of what each delivery left in the lake."""
    for outcome in outcomes:
        if outcome.lake_file:
            yield outcome.lake_file, outcome.lake_sha256
        if outcome.quarantine_file:
            yield outcome.quarantine_file, outcome.quarantine_sha256


def _lost(file: Path) -> Tampered:
    return Tampered(
        f"{file} is gone", "put it back from a backup, or run again with its delivery in the landing folder"
    )
