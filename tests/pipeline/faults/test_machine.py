"""The machine lets a run down: no room on a disk, little memory, a wrong clock."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import target_path
from tests.faults_table import Fault
from tests.pipeline.faults.conftest import Install, running, short_folder
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, STAGES, Installation, command_of, stage_of
from tests.pipeline.faults.server import Server

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
DISK = "400m"
FOLDERS = {"lake": ("lake",), "build": ("build",), "store": ("warehouse", "published")}  # and their settings
WRITING = {"lake": STAGES, "build": ("build", "serve"), "store": ("serve",), "database": ("build", "serve")}
LIMITS = ("100KB", "8MB", "24MB")  # of memory
LEFT = 16_384  # bytes that a full disk has left: a file can begin, and not end


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of its own, of so many bytes, in a folder."""
    folder.mkdir(parents=True)
    folder.parent.chmod(0o711)  # the server's user goes through it
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "none", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system can be mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing fits on the disk any more within the block."""
    free = os.statvfs(disk)
    filler = disk / ".filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - LEFT)
    try:
        yield
    finally:
        filler.unlink()


def moved(settings: Settings, folder: str, disk: Path) -> Settings:
    """The installation with one of its folders on the disk."""
    places = {name: disk / getattr(settings, name).name for name in FOLDERS[folder]}
    for name, place in places.items():
        subprocess.run(["mv", str(getattr(settings, name)), str(place)], check=True)
    changed = settings.model_copy(update=places)
    if folder == "build":
        subprocess.run(["mv", str(target_path(settings).parent), str(disk)], check=True)
    if folder == "store":
        warehouse.relocate(changed)
    return changed


@pytest.mark.faults("disk_full")
def test_each_disk_is_full_at_each_step_that_writes_there(install: Install, fault: Fault, tmp_path: Path) -> None:
    installation, disks = install(), {}
    folders = FOLDERS if installation.settings.target == "duckdb" else ("lake",)  # Postgres has its own disk
    with ExitStack() as mounted:
        for folder in folders:
            disks[folder] = mounted.enter_context(small_disk(tmp_path / f"disk_of_{folder}"))
            settings = moved(installation.settings, folder, disks[folder])
            installation = replace(installation, settings=settings)
        for folder, disk in disks.items():
            failed = [_fails_when_full(installation, disk, stage) for stage in WRITING[folder]]
            assert any(failed), f"nothing was written to the full disk of {folder}"
        installation.recovers(D1)
    fault.injections = sum(len(WRITING[folder]) for folder in folders)


@pytest.mark.faults("disk_full", store="postgres")
def test_the_disk_of_the_database_is_full(
    install_on: Callable[[Server], Installation], served: Path, fault: Fault
) -> None:
    with (
        short_folder() as folder,
        small_disk(folder / "disk") as disk,
        running(disk, served / "pgdata") as server,
    ):
        installation = install_on(server)
        for stage in WRITING["database"]:
            assert _fails_when_full(installation, disk, stage), f"nothing was written to the full disk in {stage}"
        installation.recovers(D1)
    fault.injections = len(WRITING["database"])


def _fails_when_full(installation: Installation, disk: Path, stage: str) -> bool:
    """Fill the disk as the step begins; whether the run failed of it. A step that has nothing to write may pass."""
    with command_of(installation.settings, D1) as process:
        for line in process.stderr:
            if stage_of(line) == stage:
                break
        os.killpg(process.pid, signal.SIGSTOP)  # else it takes room while the rest of it is counted
        with full(disk):
            os.killpg(process.pid, signal.SIGCONT)
            said = process.stderr.read()
    if process.returncode:
        assert process.returncode == 1 and "Traceback" not in said, said
        assert "stopped: no space is left on the disk of" in said and "free some" in said, said
    installation.sees(LAST_OF_HISTORY, D1)
    return bool(process.returncode)


@pytest.mark.faults("memory")
def test_too_little_memory(on_duckdb: Install, fault: Fault) -> None:
    """Too little to open the engine, to build a table, and to build the largest: the step says which setting."""
    made, fault.injections = on_duckdb(), len(LIMITS)
    for limit in LIMITS:
        with command_of(made.settings.model_copy(update={"memory_limit": limit}), D1) as process:
            said = process.stderr.read()
        assert process.returncode == 1 and "Traceback" not in said and "C360_MEMORY_LIMIT" in said, said
        made.sees(LAST_OF_HISTORY, D1)
    made.recovers(D1)


@pytest.mark.faults("clock")
@pytest.mark.parametrize("year", [1999, 2077])
def test_a_wrong_clock(on_duckdb: Install, year: int, tmp_path: Path) -> None:
    """The clock of the whole process is moved, that of the libraries too."""
    made = on_duckdb()
    library = _moved_clock(tmp_path, year)
    settings = made.settings
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LD_PRELOAD", str(library))
        process = command_of(settings, D1)
    said = process.communicate(timeout=900)[1]
    assert process.returncode == 0, said
    made.sees(LAST_OF_HISTORY, D1)
    made.equals(D1)
    (row,) = warehouse.query_serving(
        settings, "select max(published_at) as at from ops.publications where schema_name = 'marts'"
    ).to_pylist()
    assert row["at"].year == year  # it was wrong


CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>
static time_t moved(void) { return (time_t)(YEAR - 2026) * 31556952; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += moved();
    return failed;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""


def _moved_clock(folder: Path, year: int) -> Path:
    """A library that moves the clock of a process to about the same day of another year."""
    source, library = folder / "clock.c", folder / "clock.so"
    source.write_text(CLOCK.replace("YEAR", str(year)))
    made = subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=False)
    if made.returncode:
        pytest.skip("no C compiler")
    return library
