"""dbt as a child that dies with the process that started it: a killed run must not go on writing."""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1

if sys.platform == "linux":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(os.environ["C360_PARENT_PID"]):
        sys.exit("the process that started dbt has ended")

from dbt.cli.main import cli  # noqa: E402  (only after the signal is set)

cli()
