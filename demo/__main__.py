"""The whole system on one machine, under a real Airflow scheduler: ``python -m demo``, or ``make demo``."""

import fcntl
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from c360.calendar import landed_dates
from c360.contracts import load_deployment
from c360.settings import PROJECT, Settings
from demo.airflow import AirflowError, local_airflow
from demo.progress import Say, follow, stop_watch
from demo.summary import print_summary

FOLDER = PROJECT / "var" / "demo"
CUSTOMERS, MONTHS, DAYS, SEED = 2000, 24, 3, 1
console = Console()


class Source(StrEnum):
    simulated = "simulated"
    berka = "berka"


@dataclass(frozen=True)
class Bank:
    """A bank whose deliveries have landed."""

    settings: Settings
    dates: list[date]  # the end of the initial load, then each day
    truth: Path | None  # of a simulated bank


def main(
    source: Annotated[Source, typer.Option(help="A simulated bank, or the PKDD'99 Berka bank.")] = Source.simulated,
    berka_dir: Annotated[str, typer.Option(help="Folder with the Berka bank's .asc files.")] = "",
) -> None:
    """Land a bank's files, run the system over them under Airflow, and show what came out."""
    if source is Source.berka and not Path(berka_dir or "-").is_dir():
        raise typer.BadParameter("give the folder with the .asc files: make demo SOURCE=berka BERKA_DIR=…")
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    say = stop_watch(console)
    try:
        with _own_folder():
            bank = _simulated(say) if source is Source.simulated else _berka(Path(berka_dir), say)
            _run(bank, say)
            print_summary(console, bank.settings, bank.truth)
    except AirflowError as failure:
        console.print(str(failure), style="red", markup=False, highlight=False)
        raise typer.Exit(1) from failure
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        raise typer.Exit(130) from None


@contextmanager
def _own_folder() -> Iterator[None]:
    """An empty ``var/demo``, for one demo at a time."""
    FOLDER.parent.mkdir(exist_ok=True)
    with (FOLDER.parent / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("another demo is running in this checkout: wait until it ends", style="red")
            raise typer.Exit(1) from None
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir()
        yield


def _simulated(say: Say) -> Bank:
    import simulator

    say(f"simulating a bank: {CUSTOMERS:,} customers, {MONTHS} months, then {DAYS} days, the last one with bad files")
    made = simulator.generate(CUSTOMERS, MONTHS, SEED, FOLDER, days=DAYS, faults=True)
    say(f"{made.deliveries:,} deliveries with {made.rows:,} rows have landed")
    return _bank("simulated", made.truth)


def _berka(source: Path, say: Say) -> Bank:
    from c360.adapters import berka

    say(f"turning the Berka bank's files in {source} into deliveries")
    made = berka.adapt(source, FOLDER / "landing")
    say(f"{made.deliveries:,} deliveries with {sum(made.rows.values()):,} rows have landed")
    return _bank("berka", None)


def _bank(deployment: str, truth: Path | None) -> Bank:
    settings = Settings.from_env(
        landing=FOLDER / "landing",
        lake=FOLDER / "lake",
        build=FOLDER / "build.duckdb",
        warehouse=FOLDER / "warehouse.duckdb",
        published=FOLDER / "published",
        deployment=PROJECT / "deployments" / f"{deployment}.yml",
        target="duckdb",
    )
    return Bank(settings, landed_dates(settings.landing), truth)


def _run(bank: Bank, say: Say) -> None:
    """Airflow's own back-fill: the initial load, then the days on top; the rest follows from the assets."""
    producers = {"ingest_branch"}
    if load_deployment(bank.settings.deployment).feeds_of("online"):
        producers.add("ingest_online")
    dag_ids = producers | {"build_customer_360", "score_customers"}
    initial, *days = bank.dates
    say("starting Airflow")
    with local_airflow(FOLDER / "airflow", bank.settings, bank.dates[-1], dag_ids) as airflow:
        say(f"Airflow is up at {airflow.url}")
        for dates, what in (([initial], "the initial load"), (days, "the business days")):
            if not dates:
                continue
            say(f"back-fill of {what}: {dates[0]}" + (f" to {dates[-1]}" if len(dates) > 1 else ""))
            for dag_id in sorted(producers):
                airflow.backfill(dag_id, dates[0], dates[-1])
            follow(airflow, dag_ids, dates, say)
    say("every DAG has succeeded for every date")


if __name__ == "__main__":
    typer.run(main)
