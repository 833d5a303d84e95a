"""How far a run has come, in both languages; Ctrl-C ends a command without a traceback, and dbt does not swallow it."""

import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360 import pipeline
from c360.cli.main import app
from c360.progress import STAGES, going_on, line_of, stage_line
from lakehouse.lake.running import Work, at_work, part
from lakehouse.lake.runs import recorded
from lakehouse.language import Voice
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import dbt

DAY = date(2026, 1, 5)


@pytest.fixture
def lake(settings: Settings) -> Settings:
    settings.lake.mkdir(parents=True, exist_ok=True)
    return settings


def test_a_run_says_which_step_of_how_many_and_when_it_ends(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = {"build": 60.0, "score": 20.0, "network": 5.0, "serve": 30.0}
    monkeypatch.setattr("lakehouse.lake.running.usual_seconds", lambda _, step: usual.get(step))
    monkeypatch.setattr("c360.progress.usual_seconds", lambda _, step: usual.get(step))
    with recorded(lake, "run", "build", DAY):
        part("tables and their tests", 7, 260)
        began = at_work(lake.lake)[0].began
        (going,) = going_on(lake.lake, now := began + timedelta(seconds=10))
    assert line_of(going, now) == f"{DAY} step 2 of 5, build (tables and their tests, 7 of 260), 0:10 of about 1:00"
    assert going.ends == began + timedelta(seconds=60 + 20 + 5 + 30)
    assert (going.said(Voice("zh")), going.part(Voice("zh"))) == (
        "第 2 步，共 5 步：构建数据表",
        "数据表及其检查，第 7 项，共 260 项",
    )
    assert stage_line(lake.lake, DAY, "build") == f"{DAY} 2 of 5, about 1:00: build"
    assert stage_line(lake.lake, DAY, "ingest") == f"{DAY} 1 of 5: ingest"


def test_feeds_side_by_side_are_one_run_and_its_end_is_not_known_the_first_time(lake: Settings) -> None:
    with recorded(lake, "run", "ingest_cards", DAY), recorded(lake, "run", "ingest_loans", DAY):
        (going,) = going_on(lake.lake, at_work(lake.lake)[0].began)
    assert going.said() == "step 1 of 5, ingest: cards, loans"
    assert going.ends is None
    assert all(isinstance(work, Work) for work in going.works)


def test_the_stages_are_the_steps_of_a_date(lake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    for name in ("check_delivered", "build", "score", "network", "serve"):
        do = lambda *_: None  # noqa: E731 (its name is what is told)
        do.__name__ = name
        monkeypatch.setattr(pipeline, name, do)
    monkeypatch.setattr(pipeline, "ingest", lambda *_: [])
    pipeline.run_date(lake, DAY, "run", lines.append)
    assert [line.split()[-1] for line in lines] == list(STAGES)


def test_ctrl_c_ends_a_command_with_130_and_one_line(monkeypatch: pytest.MonkeyPatch, lake: Settings) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", interrupted)
    for name, value in lake.environment().items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["run"])
    assert (shown.exit_code, shown.stdout) == (130, "")
    assert shown.stderr.splitlines() == ["stopped by Ctrl-C: what was not finished is left out; run it again to go on"]


def test_ctrl_c_within_dbt_is_no_fault_of_a_model(monkeypatch: pytest.MonkeyPatch, lake: Settings) -> None:
    class Interrupted:
        """dbt's runner, which makes every exception a part of its answer."""

        def __init__(self, *_: object) -> None: ...

        def invoke(self, _: object) -> object:
            from dbt.cli.main import dbtRunnerResult

            return dbtRunnerResult(success=False, exception=KeyboardInterrupt())

    monkeypatch.setattr("dbt.cli.main.dbtRunner", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        dbt.parse(lake, {"business_date": str(DAY)})


def test_a_bank_that_is_made_shows_how_far_it_is_and_ctrl_c_ends_it_with_one_line(tmp_path: Path) -> None:
    """A real process on a real terminal."""
    command = [sys.executable, "-m", "c360", "simulate", "--out", str(tmp_path / "bank"), "--customers", "4000"]
    ours, theirs = os.openpty()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, cwd=PROJECT)
    os.close(theirs)
    said = b""
    try:
        while b"customers and months" not in said:
            said += os.read(ours, 4096)
        process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the end of a terminal whose other side has gone
            while more := os.read(ours, 4096):
                said += more
        assert process.wait(60) == 130
    finally:
        process.kill()
        os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    assert re.search(r"simulate \(customers and months, [\d]+ of 96000\)", text)
    assert text.count("stopped by Ctrl-C") == 1
    assert "Traceback" not in text
