"""Locks between processes: the message names who holds one, and a killed process holds none."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from lakehouse import warehouse
from lakehouse.intraday.loop import LoopRuns, alone
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.engines.duckdb import EngineLocked
from tests.conftest import temporary_settings

HOLDER = """
import time
from lakehouse import warehouse
from lakehouse.intraday.loop import alone
from lakehouse.settings import Settings

with {lock}(Settings.from_env()):
    print("held", flush=True)
    time.sleep(60)
"""
Lock = Callable[[Settings], AbstractContextManager[None]]


def build_lock(settings: Settings) -> AbstractContextManager[None]:
    return warehouse.exclusive(settings, wait=0.2)


@pytest.mark.parametrize(
    ("name", "lock", "refusal", "message"),
    [
        ("warehouse.exclusive", build_lock, EngineLocked, r"was held by process {pid} \(.*sleep\(60\)"),
        ("alone", alone, LoopRuns, "another intraday loop holds .*: stop it first"),
    ],
)
def test_a_lock_is_refused_while_held_and_free_when_the_holder_is_killed(
    tmp_path: Path, name: str, lock: Lock, refusal: type[Exception], message: str
) -> None:
    settings = temporary_settings(tmp_path)
    command = [sys.executable, "-c", HOLDER.format(lock=name)]
    environment = os.environ | settings.environment()
    holder = subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(refusal, match=f"(?s){message.format(pid=holder.pid)}"), lock(settings):
            pass
    finally:
        holder.kill()
        holder.wait()
    for _ in range(2):
        with lock(settings):
            pass
