"""The benches of one part come to their end: what they read of a bank is there."""

import os
import subprocess
import sys

import pytest

from lakehouse.settings import PROJECT
from tests.pipeline.conftest import LAST_OF_HISTORY, Undisturbed

pytestmark = [pytest.mark.full, pytest.mark.timeout(900)]


@pytest.mark.parametrize(
    ("bench", "says"),
    [
        (["scoring", "churn", "--date", str(LAST_OF_HISTORY), "--customers", "2000"], "scored with reasons for all"),
        (["network", "--edges", "5000"], "nodes and groups as tables"),
    ],
)
def test_a_bench_ends_with_its_figures(day_by_day: Undisturbed, bench: list[str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{bench[0]}", *bench[1:]],
        cwd=PROJECT,
        env={**os.environ, **day_by_day.settings.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert says in done.stdout + done.stderr
