"""The command of ``make bench-all``: one simulated bank, and every rival against ours on it."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import simulator
from benchmarks.full_build import LOAD, steps
from benchmarks.rivals import dbt_processes, pandas_postgres, sklearn_defaults, splink_script
from benchmarks.rivals.comparison import Comparison, Side, table
from benchmarks.stages import run_stage
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.task_file import load_tasks

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
NEEDED = (LOAD, "ingest other feeds", "link", "build")  # steps of a business date; the rivals do no other's work
WIDE = 200  # columns, where the output is no terminal


@dataclass
class Report:
    """One run."""

    customers: int
    months: int
    seed: int
    comparisons: list[Comparison] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)  # what was not compared, and why

    def as_json(self) -> dict[str, object]:
        """For a program to read."""
        return vars(self) | {"comparisons": [one.as_json() for one in self.comparisons]}


@app.command()
def main(
    customers: Annotated[int, typer.Option(min=10, help="Customers of the bank.")] = 20_000,
    months: Annotated[int, typer.Option(min=1, help="Months of history; a score needs 17.")] = 18,
    seed: int = 1,
    task: Annotated[str, typer.Option(help="The score that scikit-learn is compared on.")] = "churn",
    scratch: Annotated[Path | None, typer.Option(help="Folder to work in, and to keep; else a temporary one.")] = None,
    report: Annotated[Path | None, typer.Option(help="File for all figures, as JSON.")] = None,
) -> None:
    """Simulate a bank and measure every rival and ours on it; exit code 1 if figures that must be equal are not."""
    if task not in load_tasks():
        raise typer.BadParameter(f"the scores are {', '.join(load_tasks())}", param_hint="--task")
    with nullcontext(scratch) if scratch else tempfile.TemporaryDirectory(prefix="c360-") as folder:
        measured = measure(Path(folder), customers, months, seed, task)
    if report:
        report.write_text(json.dumps(measured.as_json(), indent=1, ensure_ascii=False))
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(f"{customers:,} customers, {months} months, seed {seed}")
    console.print(table(measured.comparisons))
    for text in measured.left_out:
        console.print(f"not compared: {text}")
    unequal = [text for one in measured.comparisons for text in one.unequal]
    for text in unequal:
        console.print(f"not equal: {text}")
    if unequal:
        raise typer.Exit(1)


def measure(folder: Path, customers: int, months: int, seed: int, task: str) -> Report:
    """Run everything once below ``folder``."""
    settings = Settings.below(folder, target="duckdb")
    run_stage("simulate", simulator.generate, customers, months, seed, folder)
    (day,) = landed_dates(settings.landing)
    measured = Report(customers, months, seed, list(_compare_build(settings, folder, day)))
    try:
        measured.comparisons += sklearn_defaults.compare(settings, load_tasks()[task], day, folder)
    except CannotScore as reason:
        measured.left_out.append(f"scikit-learn on {task}: {reason}")
    return measured


def _compare_build(settings: Settings, folder: Path, day: date) -> Iterator[Comparison]:
    """Build the bank by our steps, then let the rivals do the same work."""
    done = {name: run_stage(name, *steps(settings, day)[name]) for name in NEEDED}
    stages, models = {name: stage for name, (stage, _) in done.items()}, done["build"][1]
    load = stages[LOAD].seconds
    ours = Side(load + sum(models.values()), {LOAD: load, **models})
    yield pandas_postgres.compare(settings, folder, ours)
    yield dbt_processes.compare(settings, folder)
    yield splink_script.compare(settings, day, folder / "truth", stages["link"], folder)
