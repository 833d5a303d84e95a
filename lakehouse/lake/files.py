"""Files and folders that appear whole, by one atomic rename, and who may read them."""

import hashlib
import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

SHOWN_FILE, SHOWN_FOLDER = 0o644, 0o755


def close_files() -> None:
    """Close whatever this process makes from here on to other users of the machine, whatever umask it was given.

    Raw files, quarantine, the build engine and logs hold personal data. Every entrance calls it: the commands, the
    tasks of Airflow, the demonstration.
    """
    os.umask(0o077)


@contextmanager
def appearing(path: Path) -> Generator[Path]:
    """A temporary path beside ``path`` that takes its name, whole, when the block ends; nothing appears if it fails.

    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / "report.txt"
    >>> with appearing(path) as temporary:
    ...     _ = temporary.write_text("whole")
    ...     path.exists()
    False
    >>> path.read_text()
    'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def appearing_shown(path: Path, below: Path | None = None) -> Generator[Path]:
    """As ``appearing``, for a file that every user of the machine may read, with the folders from ``below`` down to it.

    Folders above are opened, or not, by whoever runs the machine.

    >>> from tempfile import mkdtemp
    >>> store = Path(mkdtemp()) / "published"
    >>> with appearing_shown(store / "marts" / "tags.parquet", store) as temporary:
    ...     _ = temporary.write_text("rows")
    >>> [oct(path.stat().st_mode & 0o777) for path in (store, store / "marts", store / "marts" / "tags.parquet")]
    ['0o755', '0o755', '0o644']
    """
    with appearing(path) as temporary:
        yield temporary
        temporary.chmod(SHOWN_FILE)
        for folder in path.parents[: len(path.relative_to(below).parents)] if below else ():
            if folder.stat().st_mode & SHOWN_FOLDER != SHOWN_FOLDER:
                folder.chmod(SHOWN_FOLDER)


@contextmanager
def appearing_folder(folder: Path) -> Generator[Path]:
    """A temporary folder beside ``folder`` that takes its name, whole, when the block ends.

    If another run was faster, its folder stays; it must have at least the files of this one.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            temporary.rename(folder)
        except OSError:
            if not all((folder / made.name).exists() for made in temporary.iterdir()):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def digest(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_new(path: Path, text: str) -> None:
    """Let a file appear whole and on the disk, unless there is one of its name; then `FileExistsError`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def json_text(content: object) -> str:
    """The content as `write_json` writes it; dates become ISO text."""
    return json.dumps(content, default=str, ensure_ascii=False, indent=1)


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as one file that appears whole; dates become ISO text."""
    with appearing(path) as temporary:
        temporary.write_text(json_text(content))
