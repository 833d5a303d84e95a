"""What the demonstration does beside its runs: a module of its own process, for the time of a ``with`` block."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from typing import IO

from lakehouse.settings import PROJECT, Settings


@contextmanager
def beside(
    module: str, settings: Settings, business_date: date, output: IO[bytes] | int = subprocess.DEVNULL
) -> Generator[subprocess.Popen[bytes]]:
    """Run ``python -m MODULE DATE`` on the deployment; what still runs when the block ends is killed."""
    command = [sys.executable, "-m", module, str(business_date)]
    environment = os.environ | settings.environment()
    process = subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
