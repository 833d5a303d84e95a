"""``make bench``: seconds and peak memory of every stage on a simulated bank, beside the straight-line script."""

import json
import tempfile
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Annotated

import duckdb
import typer

import simulator
from benchmarks import straight_line
from benchmarks.full_build import LOAD, mart_figures, steps
from benchmarks.stages import Stage, run_stage
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import Settings
from lakehouse.sql import only_row

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
LINE_FIGURES = {  # what the marts' figures (`MART_FIGURES`) are to equal: SQL over the straight line's tables
    "postings": "select count(*), sum(case direction when 'C' then amount else -amount end) from ledger",
    "balances": "select count(*), sum(balance_amount) from balances_daily",
    "months": "select count(*), sum(outflow_amount), sum(counterparty_count) from account_monthly",
}
RATIO_GOAL, PEAK_GOAL_GB, DAY_GOAL_RATE, DAY_GOAL_SECONDS = 3.0, 8.0, 0.03, 20.0


@dataclass(frozen=True)
class Figures:
    """One run of the bench."""

    customers: int
    months: int
    transactions: int
    simulate: Stage
    straight_line: Stage
    straight_line_stages: dict[str, float]
    full_build: list[Stage]
    compared_models: dict[str, float]  # seconds of the compared marts and of the models that they are made from
    one_more_day: Stage
    one_more_day_steps: dict[str, float]

    @property
    def ratio(self) -> float:
        """Seconds of loading and of the compared marts, over those of the straight line."""
        load = next(stage.seconds for stage in self.full_build if stage.name == LOAD)
        return (load + sum(self.compared_models.values())) / sum(self.straight_line_stages.values())

    @property
    def peak_gb(self) -> float:
        """The highest peak memory of the full build and of one more day."""
        return max(stage.peak_gb for stage in (*self.full_build, self.one_more_day))

    @property
    def full_seconds(self) -> float:
        """Seconds of the full build."""
        return sum(stage.seconds for stage in self.full_build)

    @property
    def goals(self) -> dict[str, bool]:
        """Each goal with its figure, and whether it is reached."""
        day = self.one_more_day.seconds
        day_goal = self.full_seconds * DAY_GOAL_RATE + DAY_GOAL_SECONDS
        return {
            f"load and same marts: {self.ratio:.2f} x straight line, goal {RATIO_GOAL:.0f}": self.ratio <= RATIO_GOAL,
            f"peak memory: {self.peak_gb:.1f} GB, goal below {PEAK_GOAL_GB:.0f}": self.peak_gb < PEAK_GOAL_GB,
            f"one more day: {day:.0f} s, goal {day_goal:.0f}": day <= day_goal,
        }


@app.command()
def main(
    customers: Annotated[int, typer.Option(min=10)] = 100_000,
    months: Annotated[int, typer.Option(min=1)] = 24,
    seed: int = 1,
    scratch: Annotated[Path | None, typer.Option(help="Folder to work in, and to keep; else a temporary one.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")] = False,
) -> None:
    """Simulate a bank, build it, add a day, and compare with the straight-line script."""
    with nullcontext(scratch) if scratch else tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), customers, months, seed)
    if json_:
        derived = ("ratio", "peak_gb", "full_seconds", "goals")
        typer.echo(json.dumps(asdict(figures) | {name: getattr(figures, name) for name in derived}, indent=1))
    else:
        typer.echo(report(figures))


def measure(folder: Path, customers: int, months: int, seed: int) -> Figures:
    """Run everything once below ``folder``.

    Raises
    ------
    ValueError
        If pipeline and straight line disagree on a figure, so that their times would say nothing.
    """
    settings = Settings.below(folder, target="duckdb")
    simulate, _ = run_stage("simulate", simulator.generate, customers, months, seed, folder, days=1)
    initial, next_day = landed_dates(settings.landing)
    database = folder / "straight_line.duckdb"
    line, line_stages = run_stage("straight line", straight_line.run, settings.landing, database)
    done = {name: run_stage(name, step, *arguments) for name, (step, *arguments) in steps(settings, initial).items()}
    transactions = _agreed_count(settings, database)
    one_more_day, day_steps = run_stage("one more day", run_day, settings, next_day)
    return Figures(
        customers,
        months,
        transactions,
        simulate,
        line,
        line_stages,
        [stage for stage, _ in done.values()],
        done["build"][1],
        one_more_day,
        day_steps,
    )


def report(figures: Figures) -> str:
    """The figures as a table for people."""

    def rows(stages: list[Stage]) -> list[str]:
        return [f"  {stage.name:28s} {stage.seconds:9.1f} s {stage.peak_gb:6.1f} GB" for stage in stages]

    return "\n".join(
        [
            f"{figures.customers:,} customers, {figures.months} months, {figures.transactions:,} transactions",
            *rows([figures.simulate]),
            "straight line",
            *(f"  {name:28s} {seconds:9.1f} s" for name, seconds in figures.straight_line_stages.items()),
            *rows([figures.straight_line]),
            "full build",
            *rows(figures.full_build),
            f"  {'total':28s} {figures.full_seconds:9.1f} s",
            "of which the marts that the straight line computes too",
            *(f"  {name:28s} {seconds:9.1f} s" for name, seconds in figures.compared_models.items()),
            "one more day",
            *(f"  {name:28s} {seconds:9.1f} s" for name, seconds in figures.one_more_day_steps.items()),
            *rows([figures.one_more_day]),
            *(f"{'reached' if is_reached else 'MISSED '} {goal}" for goal, is_reached in figures.goals.items()),
        ]
    )


def run_day(settings: Settings, day: date) -> dict[str, float]:
    """A business date in one process, as ``c360 run`` does it; seconds per step."""
    seconds = {}
    for name, (step, *arguments) in steps(settings, day).items():
        start = perf_counter()
        step(*arguments)
        seconds[name] = perf_counter() - start
    return seconds


def _agreed_count(settings: Settings, database: Path) -> int:
    """Number of transactions, once pipeline and straight line agree on it, on the balances and on the months."""
    with duckdb.connect(str(database), read_only=True) as con:
        for name, figures in mart_figures(settings).items():
            expected = con.execute(LINE_FIGURES[name]).fetchone()
            if figures != expected:
                raise ValueError(f"{name}: {figures} in the marts, but {expected} in the straight line's tables")
        return only_row(con.execute("select count(*) from ledger"))[0]


if __name__ == "__main__":
    app()
