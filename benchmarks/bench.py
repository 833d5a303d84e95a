"""``make bench``: seconds and peak memory of every stage on a simulated bank, beside the straight-line script."""

import json
import os
import resource
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any
from unittest.mock import patch

import duckdb
import typer

import simulator
from benchmarks import straight_line
from c360 import pipeline
from lakehouse import lake, warehouse
from lakehouse.contracts import CHANNELS, load_deployment
from lakehouse.identity import link
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import Settings
from lakehouse.sql import only_row
from lakehouse.warehouse.dbt import target_path

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
COMPARED_MARTS = ("fct_transactions", "fct_balances_daily", "account_monthly")
EQUAL_FIGURES = {  # SQL over the build engine: SQL over the straight line's tables
    "select count(*), sum(signed_amount) from build_marts.fct_transactions": (
        "select count(*), sum(case direction when 'C' then amount else -amount end) from ledger"
    ),
    "select count(*), sum(balance_amount) from build_marts.fct_balances_daily where txn_count > 0": (
        "select count(*), sum(balance_amount) from balances_daily"
    ),
    "select count(*), sum(outflow_amount), sum(counterparty_count) from build_marts.account_monthly": (
        "select count(*), sum(outflow_amount), sum(counterparty_count) from account_monthly"
    ),
}
RATIO_GOAL, PEAK_GOAL_GB, DAY_GOAL_RATE, DAY_GOAL_SECONDS = 3.0, 8.0, 0.03, 20.0


@dataclass(frozen=True)
class Stage:
    """What one step cost."""

    name: str
    seconds: float  # wall clock, the start of its process included
    peak_gb: float  # resident memory of its largest process


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
        load = next(stage.seconds for stage in self.full_build if stage.name == "ingest transactions")
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
    simulate, _ = _stage("simulate", simulator.generate, customers, months, seed, folder, days=1)
    initial, next_day = landed_dates(settings.landing)
    database = folder / "straight_line.duckdb"
    line, line_stages = _stage("straight line", straight_line.run, settings.landing, database)
    done = {name: _stage(name, step, *arguments) for name, (step, *arguments) in steps(settings, initial).items()}
    transactions = _agreed_count(settings, database)
    one_more_day, day_steps = _stage("one more day", run_day, settings, next_day)
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


def steps(settings: Settings, day: date) -> dict[str, tuple]:
    """The steps of a business date in their order: function and arguments."""
    others = tuple(feed for feed in load_deployment(settings.deployment).feeds if feed != "transactions")
    return {
        "ingest transactions": (pipeline.ingest, settings, "transactions", day, "bench"),
        "ingest other feeds": (ingest_feeds, settings, others, day),
        "check": (pipeline.check_delivered, settings, day, CHANNELS, "bench"),
        "link": (link_parties, settings, day),
        "build": (build, settings, day),
        "score": (pipeline.score, settings, day, "bench"),
        "serve": (pipeline.serve, settings, day, "bench"),
    }


def run_day(settings: Settings, day: date) -> dict[str, float]:
    """A business date in one process, as ``c360 run`` does it; seconds per step."""
    seconds = {}
    for name, (step, *arguments) in steps(settings, day).items():
        start = perf_counter()
        step(*arguments)
        seconds[name] = perf_counter() - start
    return seconds


def ingest_feeds(settings: Settings, feeds: tuple[str, ...], business_date: date) -> None:
    """Take the deliveries of several feeds at once, as the DAG's mapped tasks do."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda feed: pipeline.ingest(settings, feed, business_date, "bench"), feeds))


def link_parties(settings: Settings, business_date: date) -> None:
    """The first part of the build, measured alone: the build that follows does not repeat it."""
    link(settings, lake.pin(settings.lake, business_date))


def build(settings: Settings, business_date: date) -> dict[str, float]:
    """Build marts and features; the seconds that dbt tells for the compared marts and for the tables below them."""
    seconds = _noting_seconds(lambda: pipeline.build(settings, business_date, "bench"))
    parents = json.loads((target_path(settings) / "manifest.json").read_text())["parent_map"]
    if lacking := set(COMPARED_MARTS) - set(seconds):
        raise ValueError(f"dbt has no time for {', '.join(sorted(lacking))}")
    waiting, needed = [f"model.bank.{mart}" for mart in COMPARED_MARTS], set()
    while waiting:
        if (node := waiting.pop()) not in needed:
            needed.add(node)
            waiting += parents[node]
    names = {node.split(".")[2] for node in needed}
    return {name: seconds[name] for name in sorted(names & seconds.keys())}


def _noting_seconds(work: Callable[[], object]) -> dict[str, float]:
    """Do the work; the seconds of every node that dbt runs meanwhile, by its name."""
    seconds: dict[str, float] = {}
    run_dbt = warehouse.run_dbt

    def noting(*arguments: Any, **options: Any) -> tuple[warehouse.Node, ...]:
        nodes = run_dbt(*arguments, **options)
        seconds.update((node.name, node.seconds) for node in nodes)
        return nodes

    with patch.object(warehouse, "run_dbt", noting):
        work()
    return seconds


def _stage(name: str, step: Callable, *arguments: Any, **options: Any) -> tuple[Stage, Any]:
    """Run a step in a fresh process; its cost, printed at once in case a later step fails, and what it returned."""
    typer.echo(f"{name} ...", err=True)
    start = perf_counter()
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        peak_gb, result = pool.submit(_with_peak, step, arguments, options).result()
    stage = Stage(name, perf_counter() - start, peak_gb)
    parts = {part: round(seconds, 1) for part, seconds in result.items()} if isinstance(result, dict) else ""
    typer.echo(f"{name} {stage.seconds:.1f} s {stage.peak_gb:.1f} GB {parts}", err=True)
    return stage, result


def _with_peak(step: Callable, arguments: tuple, options: dict) -> tuple[float, Any]:
    os.dup2(2, 1)  # a spawned process is a notebook to DuckDB, and its progress bars are no figures
    result = step(*arguments, **options)
    processes = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(process).ru_maxrss for process in processes) / 1e6, result


def _agreed_count(settings: Settings, database: Path) -> int:
    """Number of transactions, once pipeline and straight line agree on it, on the balances and on the months."""
    with duckdb.connect(str(database), read_only=True) as con:
        for pipeline_sql, line_sql in EQUAL_FIGURES.items():
            figures = tuple(warehouse.query(settings, pipeline_sql).to_pylist()[0].values())
            expected = con.execute(line_sql).fetchone()
            if figures != expected:
                raise ValueError(f"{figures} from {pipeline_sql!r}, but {expected} from {line_sql!r}")
        return only_row(con.execute("select count(*) from ledger"))[0]


if __name__ == "__main__":
    app()
