"""dbt as people call it: one process for each command."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter

from lakehouse.errors import Stop


def run_dbt(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Call dbt in a process of its own, with these variables besides the environment's; seconds by the clock.

    Raises
    ------
    Stop
        If it fails; the message is the end of what it said.
    """
    command = [str(Path(sys.executable).with_name("dbt")), *arguments]
    began = perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Stop(f"dbt {arguments[0]} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return perf_counter() - began
