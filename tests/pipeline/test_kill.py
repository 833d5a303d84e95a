"""SIGKILL anywhere between a stage's first write and its commit, then a re-run: the warehouse of an undisturbed run."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from c360 import pipeline
from lakehouse.settings import Settings
from tests.pipeline.bank import content, copy_of
from tests.pipeline.conftest import D1

STAGES = ("ingest", "build", "score", "serve")
POINTS = 10


@dataclass(frozen=True)
class Timed:
    """An undisturbed run of the first day: its tables, and the seconds that each stage took."""

    content: dict[str, tuple[int, int]]
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def undisturbed(history: Settings, tmp_path_factory: pytest.TempPathFactory) -> Timed:
    settings = copy_of(history, tmp_path_factory.mktemp("timed"))
    began, stage, seconds = time.monotonic(), None, {}
    with _run(settings, D1) as process:
        for line in process.stderr:
            if stage:
                seconds[stage] = time.monotonic() - began
            stage, began = _stage(line), time.monotonic()
        seconds[stage] = time.monotonic() - began
    assert process.returncode == 0 and set(STAGES) <= set(seconds)
    return Timed(content(settings.warehouse), seconds)


def points() -> list:
    chance = random.Random(20260101)
    return [
        pytest.param(stage, chance.random(), id=f"{stage}-{number}") for stage in STAGES for number in range(POINTS)
    ]


@pytest.mark.full  # in every run, publication, engine and ingestion are killed each by their own tests
@pytest.mark.parametrize(("stage", "share"), points())
def test_a_killed_run_is_made_good_by_the_next(
    stage: str, share: float, history: Settings, undisturbed: Timed, tmp_path: Path
) -> None:
    settings = copy_of(history, tmp_path)
    with _run(settings, D1) as process:
        for line in process.stderr:
            if _stage(line) == stage:
                time.sleep(share * undisturbed.seconds[stage])
                break
        os.killpg(process.pid, signal.SIGKILL)
    pipeline.run(settings, D1, D1)
    assert content(settings.warehouse) == undisturbed.content


def _run(settings: Settings, day: object) -> subprocess.Popen:
    """``c360 run`` of one date, as the leader of its own process group."""
    environment = os.environ | settings.environment()
    command = [sys.executable, "-m", "c360", "run", "--from", str(day), "--to", str(day)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)


def _stage(line: str) -> str | None:
    words = line.split()
    return words[-1] if len(words) >= 2 and words[-1] in STAGES else None
