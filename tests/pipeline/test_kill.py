"""SIGKILL anywhere between a stage's first write and its commit, then a re-run: the warehouse of an undisturbed run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from c360 import pipeline
from c360.settings import Settings
from tests.pipeline.bank import content, deployment_at
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY, Undisturbed

STAGES = ("ingest", "build", "score", "serve")
POINTS = 10
QUICK = 1  # points per stage in `make test`


@pytest.fixture(scope="module")
def before(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The history is built and published; the three days are still to run."""
    settings = deployment_at(tmp_path_factory.mktemp("before"), landing)
    pipeline.run(settings, LAST_OF_HISTORY, LAST_OF_HISTORY)
    return settings


@pytest.fixture(scope="module")
def durations(before: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """Seconds that each stage of the first day takes when nobody kills it."""
    folder = tmp_path_factory.mktemp("timed")
    began, stage, seconds = time.monotonic(), None, {}
    with _run(_copy(before, folder), D1) as process:
        for line in process.stderr:
            if stage:
                seconds[stage] = time.monotonic() - began
            stage, began = _stage(line), time.monotonic()
        seconds[stage] = time.monotonic() - began
    assert process.returncode == 0 and set(STAGES) <= set(seconds)
    return seconds


def points() -> list:
    chance = random.Random(20260101)
    return [
        pytest.param(stage, chance.random(), id=f"{stage}-{number}", marks=[pytest.mark.full] * (number >= QUICK))
        for stage in STAGES
        for number in range(POINTS)
    ]


@pytest.mark.parametrize(("stage", "share"), points())
def test_a_killed_run_is_made_good_by_the_next(
    stage: str,
    share: float,
    before: Settings,
    durations: dict[str, float],
    day_by_day: Undisturbed,
    tmp_path: Path,
) -> None:
    settings = _copy(before, tmp_path)
    with _run(settings, D1) as process:
        for line in process.stderr:
            if _stage(line) == stage:
                time.sleep(share * durations[stage])
                break
        os.killpg(process.pid, signal.SIGKILL)
    for day in (D1, D2, D3):
        pipeline.run(settings, day, day)
    assert content(settings.warehouse) == day_by_day.content


def _copy(source: Settings, folder: Path) -> Settings:
    for name in ("lake", "build.duckdb", "warehouse.duckdb", "published"):
        origin = source.lake.parent / name
        (shutil.copytree if origin.is_dir() else shutil.copyfile)(origin, folder / name)
    return deployment_at(folder, source.landing)


def _run(settings: Settings, day: object) -> subprocess.Popen:
    """``c360 run`` of one date, as the leader of its own process group."""
    environment = {
        **os.environ,
        **{f"C360_{name.upper()}": str(getattr(settings, name)) for name in settings.__dataclass_fields__},
    }
    command = [sys.executable, "-m", "c360", "run", "--from", str(day), "--to", str(day)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _stage(line: str) -> str | None:
    words = line.split()
    return words[-1] if len(words) >= 2 and words[-1] in STAGES else None
