"""Two runs of a date at the same time, and one that stands still again and again."""

import os
import random
import signal
import time

import pytest

from tests.faults_table import Fault
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, Installation, command_of

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
PAUSES = 20


@pytest.mark.faults("at_once")
def test_a_date_twice_at_once(installation: Installation) -> None:
    runs = [command_of(installation.settings, D1) for _ in range(2)]
    said = [run.communicate(timeout=900)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)


@pytest.mark.faults("slow_disk")
def test_a_run_that_stands_still_again_and_again(installation: Installation, fault: Fault) -> None:
    """Whoever waits for a disk does not run; so a run is stopped and let go on, and readers read meanwhile."""
    chance = random.Random(3)
    with command_of(installation.settings, D1) as process:
        for number in range(PAUSES):
            time.sleep(chance.uniform(0.1, 1.5))
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0.2, 0.8))
            if number % 4 == 0:
                installation.sees(LAST_OF_HISTORY, D1)
            os.killpg(process.pid, signal.SIGCONT)
            fault.injections = number + 1
        said = process.stderr.read()
    assert process.returncode == 0, said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)
