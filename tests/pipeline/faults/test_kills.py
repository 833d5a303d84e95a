"""SIGKILL at every step boundary of ``c360 run``: old or new for readers, then as if undisturbed.

Each kill hits what the kill before it has left.
"""

import os
import signal
import time

import pytest

from lakehouse import warehouse
from tests.faults_table import Fault
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, STAGES, Installation, command_of, stage_of

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
SEEN = 600  # seconds within which a publish ends, on a busy machine


def killed(installation: Installation, stage: str) -> None:
    """Kill a run as a stage begins, and look at what readers see."""
    with command_of(installation.settings, D1) as process:
        for line in process.stderr:
            if stage_of(line) == stage:
                break
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, f"ended with {process.returncode} before {stage}"
    installation.sees(LAST_OF_HISTORY, D1)


@pytest.mark.faults("kill_steps")
def test_killed_at_every_step_boundary(installation: Installation, fault: Fault) -> None:
    for stage in STAGES:
        killed(installation, stage)
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
