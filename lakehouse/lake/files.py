"""Files and folders that appear whole, by one atomic rename."""

import json
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as one file that appears whole; dates become ISO text."""
    with appearing(path) as temporary:
        temporary.write_text(json.dumps(content, default=str, ensure_ascii=False, indent=1))
