"""A folder of backups: every content once, by its SHA-256, and a manifest per backup that says which file had it.

``contents/<2 digits>/<SHA-256>`` and ``backups/<number>.json``. Only its owner may read it. Secrets are in none: they
belong into the bank's vault.
"""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from lakehouse.errors import Stop
from lakehouse.lake import appearing, write_json
from lakehouse.lake.files import digest

Place = Literal["lake", "landing", "published", "warehouse"]
OWNER_ENTERS, OWNER_READS = 0o700, 0o600


@dataclass(frozen=True)
class Kept:
    """A file of a backup."""

    place: Place
    file: str  # below the folder of that place
    bytes: int
    changed: int  # nanoseconds: a file of this size and time need not be read again
    sha256: str


@dataclass(frozen=True)
class Backup:
    """One backup: what the installation was, by file."""

    number: int
    business_date: date | None  # that readers saw; None: nothing was published
    target: str  # "duckdb": the store is among the files; "postgres": it is built again from the lake
    files: tuple[Kept, ...]

    @property
    def has_store(self) -> bool:
        """Whether what readers saw is among the files."""
        return any(kept.place == "warehouse" for kept in self.files)

    def of(self, place: Place) -> tuple[Kept, ...]:
        """The files of one place."""
        return tuple(kept for kept in self.files if kept.place == place)


class Vault:
    """The folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder, for its owner alone.

        Raises
        ------
        Stop
            If there is something else in it.
        """
        if self.folder.exists() and any(self.folder.iterdir()) and not (self.folder / "backups").is_dir():
            raise Stop(f"{self.folder} holds something else", "name an empty folder, or one of backups")
        for part in ("backups", "contents"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
            (self.folder / part).chmod(OWNER_ENTERS)
        self.folder.chmod(OWNER_ENTERS)

    def backups(self) -> list[Backup]:
        """All backups, the oldest first."""
        return [_read(path) for path in sorted((self.folder / "backups").glob("[0-9]*.json"))]

    def content(self, sha256: str) -> Path:
        """Where a content lies."""
        return self.folder / "contents" / sha256[:2] / sha256

    def keep(self, path: Path) -> tuple[str, bool]:
        """Keep a file's content; its SHA-256, and whether it is new here."""
        staged = self.folder / "contents" / f".{os.getpid()}.new"
        try:
            shutil.copyfile(path, staged)
            sha256 = digest(staged)  # of what was copied, should the file change meanwhile
            target = self.content(sha256)
            if target.exists():
                return sha256, False
            target.parent.mkdir(mode=OWNER_ENTERS, exist_ok=True)
            with staged.open("rb") as file:
                os.fsync(file.fileno())
            staged.chmod(OWNER_READS)
            staged.replace(target)
            return sha256, True
        finally:
            staged.unlink(missing_ok=True)

    def write(self, backup: Backup) -> None:
        """Write or replace a manifest: the last file of a backup to appear."""
        path = self.folder / "backups" / f"{backup.number:06}.json"
        write_json(path, asdict(backup))
        path.chmod(OWNER_READS)

    def restore(self, kept: Kept, path: Path) -> None:
        """Write a file of a backup; it appears whole, and only with the content that it had.

        Raises
        ------
        Stop
            If the content is lost or damaged.
        """
        source = self.content(kept.sha256)
        if not source.exists():
            raise Stop(f"{source} is gone: {kept.place}/{kept.file} cannot be restored", "take another backup")
        with appearing(path) as temporary:
            shutil.copyfile(source, temporary)
            if digest(temporary) != kept.sha256:
                raise Stop(f"{source} is damaged: {kept.place}/{kept.file} cannot be restored", "take another backup")

    def faults(self) -> list[str]:
        """What is lost or damaged, by content and by the files that have it."""
        files: dict[str, set[str]] = {}
        for backup in self.backups():
            for kept in backup.files:
                files.setdefault(kept.sha256, set()).add(f"{kept.place}/{kept.file}")
        found = []
        for sha256, names in sorted(files.items()):
            path = self.content(sha256)
            fault = "lost" if not path.exists() else "damaged" if digest(path) != sha256 else ""
            if fault:
                found.append(f"{fault}: {min(names)} ({path.relative_to(self.folder)})")
        return found

    def drop_unused(self, backups: Iterable[Backup]) -> int:
        """Remove contents that no backup has; returns how many."""
        used = {kept.sha256 for backup in backups for kept in backup.files}
        unused = [path for path in (self.folder / "contents").glob("*/*") if path.name not in used]
        for path in unused:
            path.unlink()
        return len(unused)


def _read(path: Path) -> Backup:
    try:
        raw = json.loads(path.read_text())
        day = raw["business_date"] and date.fromisoformat(raw["business_date"])
        return Backup(raw["number"], day, raw["target"], tuple(Kept(**kept) for kept in raw["files"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Stop(f"{path}: the manifest of a backup is damaged", "remove it, and back up again") from error
