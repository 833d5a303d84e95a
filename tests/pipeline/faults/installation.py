"""An installation of the small bank in which a fault is planted, and what readers see of it before and after."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date

from c360 import pipeline
from lakehouse.settings import PROJECT, Settings
from tests.faults_table import Fault
from tests.pipeline.bank import content

STAGES = ("ingest", "build", "score", "network", "serve")
CUSTOMERS, MONTHS, SEED = 100, 3, 5
START = date(2025, 1, 1)
LAST_OF_HISTORY = date(2025, 3, 31)
D1 = date(2025, 4, 1)
Content = dict[str, str]


def content_of(settings: Settings) -> Content:
    """Rows and hash of every table that readers have, read row by row."""
    return {name: f"{rows} {total}" for name, (rows, total) in content(settings.warehouse).items()}


def command_of(settings: Settings, day: date) -> subprocess.Popen:
    """``c360 run`` of one date, as the leader of its own process group."""
    command = [sys.executable, "-m", "c360", "run", "--from", str(day), "--to", str(day)]
    environment = os.environ | settings.environment()
    return subprocess.Popen(
        command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def stage_of(line: str) -> str | None:
    """The stage that a line of ``c360 run`` says has begun."""
    words = line.split()
    return words[-1] if len(words) >= 2 and words[-1] in STAGES else None


@dataclass(frozen=True)
class Installation:
    """A copy of the bank as it stands after its history, and the contents that undisturbed runs gave."""

    settings: Settings
    known: dict[str, Content]  # ISO date that was run last -> content
    fault: Fault

    def sees(self, old: date, new: date) -> None:
        """Note which of two dates readers see, whole."""
        now = content_of(self.settings)
        states = {"old": self.known[str(old)], "new": self.known[str(new)]}
        self.fault.saw(next((name for name, known in states.items() if known == now), "mixed"))

    def recovers(self, day: date) -> None:
        """Run again; all must be as if nothing had happened."""
        pipeline.run(self.settings, day, day)
        self.equals(day)

    def equals(self, day: date) -> None:
        """Hold content, money and rows against the undisturbed run."""
        now, expected = content_of(self.settings), self.known[str(day)]
        assert {name for name in now | expected if now.get(name) != expected.get(name)} == set()
        self.fault.content = "equal"
        self.fault.balances(self.settings)
        self.fault.accounts_for(self.settings)
