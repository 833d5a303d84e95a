"""Take a backup of the lake, of what readers see and, if wanted, of the landing folder: only what is new is copied."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse import warehouse
from lakehouse.backup.vault import Backup, Kept, Place, Vault
from lakehouse.errors import Stop
from lakehouse.lake.copies import note_copy
from lakehouse.lake.erasures import work_folder
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Taken:
    """What was written."""

    number: int
    business_date: str
    files: int
    new_contents: int
    new_bytes: int


def back_up(settings: Settings, folder: Path, with_landing: bool = False) -> Taken:
    """Add a backup to a folder of backups, while no run is at work.

    On Postgres the store is not copied: a restore builds it again from the lake, of which it is a function.

    Raises
    ------
    Stop
        If a run does not end in time, an erasure was cut short, or the folder holds something else.
    """
    vault = Vault(folder.resolve())
    with warehouse.exclusive(settings):
        if work_folder(settings.lake).exists():
            raise Stop("an erasure was cut short", "c360 erase with the same key finishes it; back up then")
        vault.open()
        note_copy(settings.lake, "vaults", vault.folder)
        earlier = vault.backups()
        known = {(kept.place, kept.file): kept for kept in (earlier[-1].files if earlier else ())}
        files, new_contents, new_bytes = [], 0, 0
        for place, root, path in _files(settings, with_landing):
            name = str(path.relative_to(root))
            before, status = known.get((place, name)), path.stat()
            is_same = before and (before.bytes, before.changed) == (status.st_size, status.st_mtime_ns)
            if before and is_same and vault.content(before.sha256).exists():
                files.append(before)
                continue
            sha256, is_new = vault.keep(path)
            files.append(Kept(place, name, status.st_size, status.st_mtime_ns, sha256))
            new_contents, new_bytes = new_contents + is_new, new_bytes + is_new * status.st_size
        day = warehouse.published_date(settings)
        number = earlier[-1].number + 1 if earlier else 1
        vault.write(Backup(number, day, settings.target, tuple(files)))
    return Taken(number, str(day or "nothing published"), len(files), new_contents, new_bytes)


def _files(settings: Settings, with_landing: bool) -> Iterator[tuple[Place, Path, Path]]:
    """(place, its folder, file) of all that is backed up; not what is at work."""
    places: list[tuple[Place, Path]] = [("lake", settings.lake)]
    if settings.target == "duckdb":
        places.append(("published", settings.published))
    if with_landing:
        places.append(("landing", settings.landing))
    for place, root in places:
        for path in sorted(root.rglob("*")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts):
                yield place, root, path
    if settings.target == "duckdb" and settings.warehouse.exists():
        yield "warehouse", settings.warehouse.parent, settings.warehouse
