"""SIGKILL at every step boundary and at random moments of ``c360 run``: old or new for readers, then as if undisturbed.

Each kill hits what the kill before it has left. Random moments are spread as the processor seconds of a run are.
"""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise

import psutil
import pytest

from lakehouse import warehouse
from tests.faults_table import Fault
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, STAGES, Installation, command_of, stage_of

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
AT_ONCE = 10  # kills of one installation, then it recovers
SEEN = 600  # seconds within which a publish ends, on a busy machine


def killed(installation: Installation, stage: str, seconds: float) -> bool:
    """Kill a run that has worked for so long since a stage began, and look at what readers see; False: it had ended."""
    with command_of(installation.settings, D1) as process:
        for line in process.stderr:
            if stage_of(line) == stage:
                break
        end = worked(process) + seconds
        while seconds and process.poll() is None and worked(process) < end:
            time.sleep(0.01)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    installation.sees(LAST_OF_HISTORY, D1)
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


def worked(process: subprocess.Popen) -> float:
    """Processor seconds of a process: on a busy machine its clock says little about how far it is."""
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def timed(installation: Installation) -> dict[str, float]:
    """Processor seconds of each stage in an undisturbed run of the date."""
    begun: list[tuple[str, float]] = []
    with command_of(installation.settings, D1) as process:
        begun += [(stage, worked(process)) for line in process.stderr if (stage := stage_of(line))]
        begun.append(("end", worked(process)))
    assert process.returncode == 0
    return {stage: after - began for (stage, began), (_, after) in pairwise(begun)}


def moments(seconds: dict[str, float], count: int) -> Iterator[tuple[str, float]]:
    """Random (stage, seconds into it), spread as the seconds are; the last tenth of a run is its end."""
    chance, total = random.Random(20260101), sum(seconds.values())
    for _ in range(count):
        moment = chance.uniform(0, 0.9 * total)
        for stage, length in seconds.items():
            if moment < length:
                yield stage, moment
                break
            moment -= length


@pytest.mark.faults("kill_steps")
def test_killed_at_every_step_boundary(install: Install, fault: Fault) -> None:
    installation = install()
    for stage in STAGES:
        assert killed(installation, stage, 0)
    fault.injections = len(STAGES) + 1
    settings, deadline = installation.settings, None
    with command_of(settings, D1) as process:
        for line in process.stderr:
            if stage_of(line) == "serve":
                deadline = time.monotonic() + SEEN
                break
        while warehouse.published_date(settings) != D1 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    installation.sees(LAST_OF_HISTORY, D1)
    assert warehouse.published_date(settings) == D1  # the kill was after the publish, before the run had ended
    installation.recovers(D1)


@pytest.mark.faults("kill_moments")
def test_killed_at_random_moments(install: Install, fault: Fault, request: pytest.FixtureRequest) -> None:
    fault.injections = request.config.getoption("kills")
    seconds = timed(install())
    installation = install()
    for number, (stage, drawn) in enumerate(moments(seconds, fault.injections), 1):
        moment = drawn
        while not killed(installation, stage, moment):  # it had less to do than a whole run
            installation, moment = install(), 0.8 * moment
        if number % AT_ONCE == 0 or number == fault.injections:
            installation.recovers(D1)
            installation = install()
