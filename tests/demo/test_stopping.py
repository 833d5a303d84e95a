"""The demonstration ends cleanly by any signal, however it was started, and never empties a folder that is in use."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from demo.__main__ import MARK, own_folder
from lakehouse.settings import PROJECT

# The demo without its bank and Airflow: it says that it is at work, waits, and cleans up as an Airflow would be ended.
AT_WORK = """
import time, typer
import demo.__main__ as demo

def wait(*_):
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        time.sleep(0.3)
        print("cleaned up", flush=True)

demo._simulated = demo._look = wait
demo._bank = lambda *_: None
typer.run(demo.main)
"""
Start = Callable[..., subprocess.Popen]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen] = []

    def begin(*arguments: str, ignored: tuple[signal.Signals, ...] = ()) -> subprocess.Popen:
        # whatever the tests themselves were started with
        handled = dict.fromkeys((signal.SIGINT, signal.SIGHUP, signal.SIGTERM), signal.SIG_DFL)
        handled |= dict.fromkeys(ignored, signal.SIG_IGN)
        process = subprocess.Popen(
            [sys.executable, "-c", AT_WORK, "--folder", str(tmp_path / "demo"), *arguments],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: [signal.signal(number, how) for number, how in handled.items()],  # noqa: PLW1509
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.wait()


def until_at_work(process: subprocess.Popen) -> subprocess.Popen:
    assert process.stdout is not None
    assert "at work" in process.stdout.readline()
    return process


@pytest.mark.parametrize(
    ("number", "ignored"),
    [
        (signal.SIGTERM, (signal.SIGINT, signal.SIGHUP)),  # in the background of a script, and under nohup
        (signal.SIGHUP, (signal.SIGINT,)),  # in the background, and its terminal closes
        (signal.SIGINT, ()),
    ],
)
def test_a_signal_ends_it_cleanly_however_it_was_started(
    start: Start, number: signal.Signals, ignored: tuple[signal.Signals, ...]
) -> None:
    process = until_at_work(start(ignored=ignored))
    process.send_signal(number)
    time.sleep(0.1)
    process.send_signal(number)  # an impatient second one does not cut the clean-up short
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130, output
    assert "cleaned up" in output and "stopped; nothing is left running" in output


@pytest.mark.parametrize(("first", "second"), [(True, True), (False, True), (True, False), (False, False)])
def test_a_folder_in_use_is_not_touched(tmp_path: Path, first: bool, second: bool) -> None:
    """By a demo (new) or by a look at the last one."""
    (tmp_path / MARK).touch()
    with own_folder(tmp_path, is_new=first):
        kept = tmp_path / "lake"
        kept.mkdir()
        with pytest.raises(typer.BadParameter, match="end it first"), own_folder(tmp_path, is_new=second):
            pass
        assert kept.exists()
    with own_folder(tmp_path, is_new=second):
        assert kept.exists() != second


def test_there_is_nothing_to_look_at_before_a_demo(tmp_path: Path) -> None:
    with pytest.raises(typer.BadParameter, match="holds no demo"), own_folder(tmp_path / "demo", is_new=False):
        pass
    assert not (tmp_path / "demo").exists()
