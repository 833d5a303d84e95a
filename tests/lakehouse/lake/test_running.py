"""What is at work is shown while a process does it, with how long it usually takes; a killed one is not shown."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse.lake.running import FOLDER, at_work, counter, part, usual_seconds, working
from lakehouse.lake.runs import recorded
from lakehouse.settings import Settings

DAY = date(2026, 1, 5)


def took(settings: Settings, run: str, seconds: float, status: str = "success", step: str = "build") -> None:
    """A record of a step, as a run leaves it."""
    with recorded(settings, run, step, DAY):
        pass
    path = settings.lake / "runs" / run / f"{step}.json"
    record = json.loads(path.read_text())
    ended = datetime.fromisoformat(record["started_at"]) + timedelta(seconds=seconds)
    path.write_text(json.dumps(record | {"ended_at": str(ended), "status": status}))


def test_a_step_is_at_work_until_it_ends(settings: Settings) -> None:
    settings.lake.mkdir(parents=True, exist_ok=True)
    for number, seconds in enumerate((60, 70, 100)):
        took(settings, f"run_{number}", seconds)
    took(settings, "run_4", 3, status="failed")
    with recorded(settings, "run 5", "build", DAY):
        part("records are joined")
        counter("tables")(7, 260)
        (work,) = at_work(settings.lake)
    assert (work.name, work.run_id, work.business_date) == ("build", "run 5", str(DAY))
    assert (work.part, work.done, work.total) == ("tables", 7, 260)
    assert work.usual_seconds == 70
    assert work.seconds_left(work.began + timedelta(seconds=10)) == 60
    assert work.seconds_left(work.began + timedelta(seconds=100)) == 0
    assert at_work(settings.lake) == []
    assert list((settings.lake / FOLDER).iterdir()) == []


def test_a_command_remembers_how_long_it_took_if_it_succeeded(tmp_path: Path) -> None:
    with working(tmp_path, "ml train churn"):
        (work,) = at_work(tmp_path)
        assert work.usual_seconds is None and work.seconds_left(datetime.now(UTC)) is None
    with pytest.raises(KeyboardInterrupt), working(tmp_path, "ml train other"):
        raise KeyboardInterrupt
    assert usual_seconds(tmp_path, "ml train churn") is not None
    assert usual_seconds(tmp_path, "ml train other") is None


def test_what_a_killed_process_left_is_not_at_work(tmp_path: Path) -> None:
    killed = "import os, sys, pathlib\nfrom lakehouse.lake.running import working\n"
    killed += "with working(pathlib.Path(sys.argv[1]), 'ml train churn'):\n    os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False, env=os.environ)
    assert list((tmp_path / FOLDER).glob("*.json"))
    assert at_work(tmp_path) == []


def test_work_goes_on_where_it_cannot_be_shown(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder")
    with working(tmp_path, "build"), working(tmp_path / "no lake", "build"):
        part("is not shown")
    assert not (tmp_path / "no lake").exists()
    assert at_work(tmp_path) == []


@pytest.mark.parametrize("is_of_a_lake", [True, False])
def test_work_before_there_is_a_lake_is_shown_by_its_process_and_leaves_nothing(
    tmp_path: Path, is_of_a_lake: bool
) -> None:
    lake = tmp_path / "none" / "lake" if is_of_a_lake else None
    with working(lake, "simulate"):
        part("customers and months", 3, 24)
        (work,) = at_work(lake)
        assert (work.name, work.part, work.done, work.total) == ("simulate", "customers and months", 3, 24)
        assert at_work(tmp_path) == []
    assert at_work(lake) == []
    assert list(tmp_path.iterdir()) == []
