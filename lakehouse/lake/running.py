"""What is at work now, and how long it will take: a file per piece of work, for as long as it lasts.

The files are in the hidden folder ``.running`` of the lake. Each is held by a lock of its process, so that what a
killed process leaves does not look as if it went on.
"""

import json
import re
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from threading import Lock
from time import monotonic
from uuid import uuid4

from filelock import FileLock, Timeout

from lakehouse.lake.files import write_json

FOLDER = ".running"
WRITTEN_EVERY = 0.5  # seconds, while parts are counted
LATEST_RUNS, LATEST_STEPS = 200, 5  # where earlier work is looked for, and how many of it say what is usual


@dataclass(frozen=True)
class Work:
    """A step of a run or a command that is at work; times are UTC."""

    name: str
    run_id: str
    business_date: str | None
    began: datetime
    usual_seconds: float | None  # how long it took lately; unknown the first time
    part: str = ""  # what of it is being done
    done: int | None = None  # parts that have begun
    total: int | None = None

    def seconds(self, now: datetime) -> float:
        """For how long it has been at work."""
        return (now - self.began).total_seconds()

    def seconds_left(self, now: datetime) -> float | None:
        """How long it still takes, if it takes as long as usual; 0 if it takes longer."""
        return None if self.usual_seconds is None else max(self.usual_seconds - self.seconds(now), 0)


class _Written:
    """The work as its file has it; without a file it is shown by its own process alone.

    To show it must never stop it: what cannot be written is not shown.
    """

    def __init__(self, path: Path | None, work: Work) -> None:
        self._path, self.work, self._lock = path, work, Lock()
        self.part("")

    def part(self, text: str, done: int | None = None, total: int | None = None) -> None:
        """Say what of it is being done."""
        with self._lock, suppress(OSError):
            self.work = replace(self.work, part=text, done=done, total=total)
            if self._path:
                write_json(self._path, asdict(self.work))


_HERE: list[tuple[Path | None, _Written]] = []  # of this process, on a lake that is not there yet, or on none
_CURRENT: ContextVar[_Written | None] = ContextVar("work", default=None)


@contextmanager
def working(lake: Path | None, name: str, business_date: date | None = None, run_id: str = "") -> Generator[None]:
    """A block that is shown as at work, with how long it usually takes.

    A step of a run has its record in the lake; of what is none, how long it took is kept here. Where there is no lake
    to write to, `at_work` shows it to this process alone.
    """
    usual = usual_seconds(lake, name) if lake else None
    day = str(business_date) if business_date else None
    work = Work(name, run_id, day, datetime.now(UTC), usual)
    with ExitStack() as held:
        written = held.enter_context(_written(lake, work))
        token = _CURRENT.set(written)
        try:
            yield
        finally:
            _CURRENT.reset(token)
    if lake and not run_id:
        _keep(lake, work)


@contextmanager
def _written(lake: Path | None, work: Work) -> Generator[_Written]:
    """The work where others see it, for as long as the block lasts."""
    path = lake / FOLDER / f"{uuid4().hex}.json" if lake else None
    with ExitStack() as held:
        try:
            if path is None:
                raise FileNotFoundError
            path.parent.mkdir(exist_ok=True)
            held.enter_context(FileLock(path.with_suffix(".lock"), fallback_to_soft=False))
            written = _Written(path, work)
        except (OSError, NotImplementedError):
            written = _Written(None, work)
            _HERE.append((lake, written))
        try:
            yield written
        finally:
            _HERE[:] = [one for one in _HERE if one[1] is not written]
            for left in (path, path.with_suffix(".lock")) if path else ():
                with suppress(OSError):
                    left.unlink(missing_ok=True)


def part(text: str, done: int | None = None, total: int | None = None) -> None:
    """Say what of this thread's work is being done, if any is."""
    if written := _CURRENT.get():
        written.part(text, done, total)


def counter(text: str) -> Callable[[int, int], None]:
    """A function for parts that other threads do: it takes how many have begun, and how many there are.

    Not each is written: there are hundreds in a minute.
    """
    written, told = _CURRENT.get(), [-WRITTEN_EVERY]

    def count(done: int, total: int) -> None:
        if written and monotonic() - told[0] >= WRITTEN_EVERY:
            told[0] = monotonic()
            written.part(text, done, total)

    return count


def at_work(lake: Path | None) -> list[Work]:
    """All work that is being done on this lake, or on none by this process, what began first in front."""
    found = [written.work for place, written in _HERE if place == lake]
    for path in (lake / FOLDER).glob("[!.]*.json") if lake else ():
        if not _is_held(path.with_suffix(".lock")):
            continue
        with suppress(OSError, ValueError, TypeError):  # it has just ended, or is of another version
            fields = json.loads(path.read_text())
            found.append(Work(**fields | {"began": datetime.fromisoformat(fields["began"])}))
    return sorted(found, key=lambda work: (work.began, work.name))


def usual_seconds(lake: Path, name: str) -> float | None:
    """How long a step of a run, or a command, took lately, when it succeeded."""
    took = _kept(lake, name)
    with suppress(OSError):
        runs = sorted((lake / "runs").iterdir(), key=lambda run: run.stat().st_mtime, reverse=True)
        for run in runs[:LATEST_RUNS]:
            record = run / f"{name}.json"
            if len(took) < LATEST_STEPS and record.exists():
                took += _seconds_of(record)
    return median(took) if took else None


def _kept_in(lake: Path, name: str) -> Path:
    return lake / FOLDER / "took" / f"{re.sub('[^a-z0-9]+', '_', name.lower())}.json"


def _kept(lake: Path, name: str) -> list[float]:
    with suppress(OSError, ValueError):
        return [float(seconds) for seconds in json.loads(_kept_in(lake, name).read_text())]
    return []


def _keep(lake: Path, work: Work) -> None:
    """Note how long a command took."""
    if (lake / FOLDER).is_dir():
        took = [*_kept(lake, work.name), round(work.seconds(datetime.now(UTC)), 3)]
        with suppress(OSError):
            write_json(_kept_in(lake, work.name), took[-LATEST_STEPS:])


def _seconds_of(record: Path) -> list[float]:
    with suppress(OSError, ValueError, KeyError):
        said = json.loads(record.read_text())
        began, ended = (datetime.fromisoformat(said[name]) for name in ("started_at", "ended_at"))
        return [(ended - began).total_seconds()] if said["status"] == "success" else []
    return []


def _is_held(lock: Path) -> bool:
    """Whether a process holds it: one that was killed does not."""
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0, fallback_to_soft=False):
            return False
    except (Timeout, OSError):
        return True
