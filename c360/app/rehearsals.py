"""Rehearsals that the desk has asked for: each is a process of its own, one after the other; kept in memory."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, Thread
from typing import Any

from c360.desk.rehearsal import STEPS
from lakehouse.settings import PROJECT, Settings

KEPT = 64  # rehearsals of one publish; the oldest goes
WAITING = 8  # that may wait at once
Name = tuple[int, str, str, str]  # publish, two records, decision


@dataclass
class Trial:
    """One rehearsal, at work or ended."""

    begun: datetime
    steps: list[str] = field(default_factory=list)  # the last one is at work
    said: list[str] = field(default_factory=list)  # whatever else the process said
    found: Mapping[str, Any] | None = None  # as `c360 identity rehearse --json`
    is_ended: bool = False


class Rehearsals:
    """What was asked for, by name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock, self._turn = Lock(), Lock()
        self._trials: dict[Name, Trial] = {}

    def of(self, name: Name) -> Trial | None:
        """The rehearsal of that name, if there is one."""
        with self._lock:
            return self._trials.get(name)

    def begin(self, name: Name, now: datetime) -> bool:
        """Begin it, unless it is at work or has ended well; False if too many wait."""
        with self._lock:
            trial = self._trials.get(name)
            if trial and (trial.found or not trial.is_ended):
                return True
            if sum(not one.is_ended for one in self._trials.values()) >= WAITING:
                return False
            self._trials.pop(name, None)
            self._trials[name] = trial = Trial(now)
            while len(self._trials) > KEPT:
                self._trials.pop(next(iter(self._trials)))
        Thread(target=self._run, args=(name, trial), name="rehearsal", daemon=True).start()
        return True

    def _run(self, name: Name, trial: Trial) -> None:
        _, left, right, kind = name
        command = [sys.executable, "-m", "c360", "identity", "rehearse", f"--{kind}", "--json", "--", left, right]
        environment = os.environ | self._settings.environment()
        try:
            with self._turn, _started(command, environment) as process:
                assert process.stdout is not None
                assert process.stderr is not None
                for line in process.stderr:
                    (trial.steps if line.strip() in STEPS else trial.said).append(line.strip())
                text = process.stdout.read()
            if process.returncode == 0:
                trial.found = json.loads(text)
        except (OSError, ValueError) as error:
            trial.said.append(str(error))
        finally:
            trial.is_ended = True


def _started(command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
