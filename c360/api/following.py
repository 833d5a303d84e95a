"""The snapshot of the last publish: a process of its own looks for it and reads it, and the server maps what it read.

Reading a publish takes seconds of processor time, which the answers of the server would wait for. The other process
has a lower priority, so that answers go first even on one core.
"""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import psycopg

from c360.api.prepared import Statements, name_of, statements_of
from c360.api.snapshot import Snapshot, published_id, write_store
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings

SECONDS = 1.0  # between two looks for a new publish, and before a process that ended is started again
NICE = 5  # behind the answers, and not starved by whatever else the machine does
AWAY = (Stop, duckdb.Error, psycopg.Error, OSError)  # a store that is away for a moment: readers keep what they have


class Current:
    """The snapshot of the last publish, looked for once a second.

    Parameters
    ----------
    statements : Statements, optional
        What pages show of a publish beside the resources of the API; a function of a module.
    """

    def __init__(self, settings: Settings, statements: Statements | None = None) -> None:
        self._settings, self._statements = settings, statements
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self.renew()
        self.adopt: Callable[[Snapshot], bool] = lambda _: True  # asked before a publish is shown

    def renew(self) -> None:
        """Read what is published now, here and at once."""
        self.snapshot = Snapshot.of_store(self._settings, self._statements)

    def __enter__(self) -> Current:
        self._folder = TemporaryDirectory(prefix="c360-api-")  # only its owner may enter
        self._thread = threading.Thread(target=self._follow, name="publishes", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join()
        self._folder.cleanup()

    def _follow(self) -> None:
        while not self._stopping.is_set():
            known, statements = str(self.snapshot.publish_id), name_of(self._statements)
            command = [sys.executable, "-m", "c360.api.following", self._folder.name, known, statements]
            environment = os.environ | self._settings.environment()
            places = os.pathsep.join(filter(None, [str(PROJECT), environment.get("PYTHONPATH")]))
            with subprocess.Popen(
                command,
                env=environment | {"PYTHONPATH": places},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as process:
                self._process = process
                if self._stopping.is_set():
                    process.kill()
                assert process.stdout is not None
                for line in process.stdout:
                    written = Path(line.rstrip("\n"))
                    read = Snapshot.of_folder(written)
                    shutil.rmtree(written)  # what is mapped stays
                    if self.adopt(read):
                        self.snapshot = read
            self._stopping.wait(SECONDS)


def follow(settings: Settings, folder: Path, known: int, statements: Statements | None) -> None:
    """Write every new publish to a folder of its own below ``folder``, and print its path, until standard input ends.

    Parameters
    ----------
    known : int
        The publish that is known already.
    """
    seen = None
    while not select.select([sys.stdin], [], [], SECONDS)[0]:
        with suppress(*AWAY):
            file = _file_of(settings)
            if file is not None and file == seen:
                continue
            if published_id(settings) != known:
                written = Path(tempfile.mkdtemp(dir=folder))
                known = write_store(settings, written, statements)
                sys.stdout.write(f"{written}\n")
                sys.stdout.flush()
            seen = file


def _file_of(settings: Settings) -> tuple[int, int] | None:
    """Which file the store is, which every publish replaces: to open it takes a twentieth of a core, once a second."""
    if settings.target == "postgres":
        return None  # the server is asked
    about = settings.warehouse.stat()
    return about.st_ino, about.st_mtime_ns


if __name__ == "__main__":
    os.nice(NICE)
    follow(Settings.from_env(), Path(sys.argv[1]), int(sys.argv[2]), statements_of(sys.argv[3]))
