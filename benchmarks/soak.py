"""``make soak``: business dates in a row by one ``c360 run``: memory and cost of a date stay flat, readers do not wait.

A small bank is simulated and its history run; then one process of the public command runs every date, while its memory
and processor seconds are read from outside. For some of the dates readers ask the store all the time. Exit code 1 if a
bound breaks.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations, cycle
from pathlib import Path
from statistics import mean, median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

import simulator
from c360.progress import STAGES
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
MONTHS, SEED, START, LAST_OF_HISTORY = 3, 5, date(2025, 1, 1), date(2025, 3, 31)
MOST_GROWTH = 0.2  # of memory and of cost, over all dates
MOST_SLOWER = 2.0  # the slowest hundredth of reads during publishes, against that of the other steps
PLANNED = 90  # dates to which growth is extended, if fewer were run
FIRST_READ = 2  # the readers begin with this date
QUESTIONS = (
    "select count(*), sum(aum_amount) from marts.customer_360",
    "select business_date, sum(amount) from marts.fct_transactions group by business_date order by 1 desc limit 30",
    "select * from actions.worklist order by priority limit 50",
)


@dataclass(frozen=True)
class Day:
    """What one business date cost."""

    business_date: str
    processor_seconds: float
    memory_mb: float  # the most that was resident
    served: tuple[float, float]  # when the step in which it is published began and ended, on the clock of the readers


@dataclass
class Reads:
    """The questions that readers asked: how long each took, and what failed."""

    took: list[tuple[float, float]] = field(default_factory=list)  # when asked, seconds
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Figure:
    """A line of the table."""

    figure: str
    measured: str
    bound: str
    is_fine: bool


@app.command()
def main(
    dates: Annotated[int, typer.Option(min=6, help="Business dates in a row.")] = PLANNED,
    customers: Annotated[int, typer.Option(min=50, help="Customers of the bank.")] = 100,
    readers: Annotated[int, typer.Option(min=1, help="Readers that ask all the time.")] = 50,
    read_dates: Annotated[int, typer.Option(min=1, help="Dates while which they ask.")] = 5,
    pause: Annotated[float, typer.Option(min=0, help="Seconds between two questions of a reader.")] = 10.0,
    report: Annotated[Path | None, typer.Option(help="File for the figures of every date, as JSON.")] = None,
) -> None:
    """Run the dates, print the table."""
    with TemporaryDirectory(prefix="c360-soak-") as name:
        folder = Path(name)
        settings = _bank(folder, customers, dates)
        reads = Reads()
        run = _run_dates(settings, reads, readers, read_dates, pause)
    if report:
        report.write_text(json.dumps([vars(day) for day in run], indent=1))
    figures = [*flatness(run), *patience(run, reads)]
    table = Table("figure", "measured", "bound", "")
    for one in figures:
        table.add_row(one.figure, one.measured, one.bound, "ok" if one.is_fine else "FAIL")
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    if not all(one.is_fine for one in figures):
        raise typer.Exit(1)


def flatness(run: Sequence[Day]) -> Iterator[Figure]:
    """Memory and cost of the last third of the dates against the first, and how they grow from date to date."""
    third = max(len(run) // 3, 1)
    for name, unit, values in (
        ("processor seconds of a date", "s", [day.processor_seconds for day in run]),
        ("resident memory", "MB", [day.memory_mb for day in run]),
    ):
        first, last = median(values[:third]), median(values[-third:])
        slope = median([(later - earlier) / (to - since) for (since, earlier), (to, later) in _pairs(values)])
        planned = max(len(run), PLANNED)
        yield Figure(
            f"{name}: median of the first {third} dates, of the last {third}",
            f"{first:,.1f} {unit}, {last:,.1f} {unit}: {last / first - 1:+.1%}",
            f"within {MOST_GROWTH:.0%}",
            abs(last / first - 1) <= MOST_GROWTH,
        )
        grown = slope * planned / mean(values)
        yield Figure(
            f"{name}: growth from date to date (median of all pairs)",
            f"{slope:+,.3f} {unit}, over {planned} dates {grown:+.1%}",
            f"within {MOST_GROWTH:.0%}",
            abs(grown) <= MOST_GROWTH,
        )


def _pairs(values: Sequence[float]) -> Iterator[tuple[tuple[int, float], tuple[int, float]]]:
    return combinations(enumerate(values), 2)


def patience(run: Sequence[Day], reads: Reads) -> Iterator[Figure]:
    """Whether readers had errors, and waited longer while a date was published than while it was built."""
    during, otherwise = [], []
    for at, seconds in reads.took:
        is_served = any(began <= at + seconds and at <= ended for began, ended in (day.served for day in run))
        (during if is_served else otherwise).append(seconds)
    yield Figure(
        "readers: errors",
        f"{len(reads.errors)} of {len(reads.took) + len(reads.errors):,} reads{_first(reads.errors)}",
        "0",
        not reads.errors,
    )
    if min(len(during), len(otherwise)) < 2:
        yield Figure("readers: the slowest hundredth", "too few reads", f"within {MOST_SLOWER:.0f}x", False)
        return
    slow, usual = (quantiles(part, n=100)[98] for part in (during, otherwise))
    yield Figure(
        "readers: slowest hundredth while a date is published, while it is built",
        f"{1000 * slow:,.0f} ms of {len(during):,}, {1000 * usual:,.0f} ms of {len(otherwise):,}: {slow / usual:.2f}x",
        f"within {MOST_SLOWER:.0f}x",
        slow <= MOST_SLOWER * usual,
    )


def _first(errors: Sequence[str]) -> str:
    return f": {errors[0]}" if errors else ""


def _bank(folder: Path, customers: int, dates: int) -> Settings:
    """A bank whose history is run, with so many dates to run."""
    simulator.generate(customers, MONTHS, SEED, folder, days=dates, start=START)
    settings = Settings.below(folder, target="duckdb")
    _finished(_start(settings, "--to", str(LAST_OF_HISTORY)))
    return settings


def _start(settings: Settings, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "c360", "run", *options]
    environment = os.environ | settings.environment()
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True)


def _finished(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise Stop(f"c360 run ended with {process.returncode}: {said[-500:]}")


def _run_dates(settings: Settings, reads: Reads, readers: int, read_dates: int, pause: float) -> list[Day]:
    """Run all dates, and look at the process as each begins."""
    process = _start(settings, "--from", str(LAST_OF_HISTORY + timedelta(days=1)))
    watched, over, peak = psutil.Process(process.pid), threading.Event(), [0.0]
    threading.Thread(target=_watch_memory, args=(watched, peak), daemon=True).start()
    days: list[Day] = []
    began, served = 0.0, 0.0
    business_date: str | None = None
    asking: list[threading.Thread] = []
    last_lines: list[str] = []
    for line in process.stderr or ():
        last_lines = [*last_lines[-20:], line]
        words = line.split()
        if not words or words[-1] not in STAGES:
            continue
        if words[-1] == "serve":
            served = time.monotonic()
        if words[-1] == "ingest":
            spent = _processor_seconds(watched)
            if business_date:
                days.append(Day(business_date, spent - began, peak[0], (served, time.monotonic())))
            business_date, began, peak[0] = words[0], spent, 0.0
            if len(days) == FIRST_READ:
                asking = _ask(settings, reads, readers, pause, over)
            if len(days) == FIRST_READ + read_dates:
                over.set()
    over.set()
    for reader in asking:
        reader.join()
    if process.wait():
        raise Stop(f"c360 run ended with {process.returncode}: {''.join(last_lines)[-1000:]}")
    return days  # without the last date: no line says when it ends


def _processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def _watch_memory(process: psutil.Process, peak: list[float]) -> None:
    try:
        while True:
            peak[0] = max(peak[0], process.memory_info().rss / 1e6)
            time.sleep(0.2)
    except psutil.NoSuchProcess:
        return


def _ask(settings: Settings, reads: Reads, readers: int, pause: float, over: threading.Event) -> list[threading.Thread]:
    """Let readers ask, each for itself, until it is over."""

    def read(number: int) -> None:
        questions = cycle(QUESTIONS[number % len(QUESTIONS) :] + QUESTIONS[: number % len(QUESTIONS)])
        over.wait(pause * number / readers)
        while not over.is_set():
            at = time.monotonic()
            try:
                warehouse.query_serving(settings, next(questions))
            except Exception as error:  # noqa: BLE001 (whatever a reader meets is counted)
                reads.errors.append(f"{type(error).__name__}: {error}")
            else:
                reads.took.append((at, time.monotonic() - at))
            over.wait(pause)

    threads = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(readers)]
    for thread in threads:
        thread.start()
    return threads


if __name__ == "__main__":
    app()
