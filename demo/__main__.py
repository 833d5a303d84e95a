"""The whole system on one machine, under a real Airflow scheduler: ``python -m demo``, or ``make demo``."""

import shutil
import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from filelock import FileLock, Timeout
from rich.console import Console

from demo.airflow import LocalAirflow, local_airflow
from demo.docs import writing_dbt_docs
from demo.pages import GRANT, in_shell, write_index
from demo.progress import Say, follow, stop_watch
from demo.reading import reading_models
from demo.summary import print_summary
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake import close_files
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import PROJECT, Settings

FOLDER = PROJECT / "var" / "demo"
CUSTOMERS, MONTHS, DAYS, SEED = 2000, 24, 3, 1
LIVE_HOUR = 2  # UTC, mid-morning at the bank: its events come before the day's files
PRODUCERS = {"ingest_branch", "ingest_online"}
MARK = ".c360-demo"  # marks the folder of a demo, which the next demo may empty
PASSED = 0o711  # others reach the store in the folder, and cannot list what else there is
SECRETS = {"C360_TOKEN_SECRET", "C360_POSTGRES_DSN"}  # the first is in a file beside the lake that only its owner reads
console = Console(width=None if sys.stdout.isatty() else 120, markup=False)


class Source(StrEnum):
    """Whose bank it is."""

    simulated = "simulated"
    berka = "berka"


@dataclass(frozen=True)
class Bank:
    """A bank whose deliveries have landed."""

    settings: Settings
    dates: list[date]  # that are run: the initial load is taken in with the first
    truth: Path | None  # of a simulated bank


def main(
    source: Annotated[Source, typer.Option(help="A simulated bank, or the PKDD'99 Berka bank.")] = Source.simulated,
    berka_dir: Annotated[str, typer.Option(help="Folder with the Berka bank's .asc files.")] = "",
    folder: Annotated[Path, typer.Option(help="Where everything goes; what a demo left there is removed.")] = FOLDER,
    look: Annotated[bool, typer.Option(help="Only open Airflow on what the last demo left, until Ctrl-C.")] = False,
) -> None:
    """Land a bank's files, run the system over them under Airflow, and show what came out."""
    folder = folder.resolve()
    if source is Source.berka and not look and not Path(berka_dir or "-").is_dir():
        raise typer.BadParameter("give the folder with the .asc files: make demo SOURCE=berka BERKA_DIR=…")
    _stop_cleanly()
    close_files()
    say = stop_watch(console)
    try:
        if look:
            with own_folder(folder, is_new=False):
                _look(_bank(folder, source, None), say)
        with own_folder(folder, is_new=True):
            bank = _simulated(folder, say) if source is Source.simulated else _berka(folder, Path(berka_dir), say)
            _run(bank, say)
            print_summary(console, bank.settings, bank.truth)
            index = write_index(bank.settings)
            console.print(f"  everything      {index}     (open it in a browser)", soft_wrap=True, highlight=False)
            serve = in_shell(bank.settings, f"{GRANT} && .venv/bin/c360 app serve")
            console.print(f"  the workbench   {serve}     (token, then address)", soft_wrap=True, highlight=False)
    except Stop as failure:
        console.print(str(failure), style="red", highlight=False)
        raise typer.Exit(1) from failure
    except KeyboardInterrupt:
        console.print("stopped; nothing is left running")
        raise typer.Exit(130) from None


def _stop_cleanly() -> None:
    """Let every signal that asks the demo to end do so with its clean-up, once: Airflow runs in sessions of its own.

    A shell starts background jobs with SIGINT ignored, and ``nohup`` ignores SIGHUP: what is ignored stays so.
    """
    asking = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if _is_heard(number)]

    def stop(*_: object) -> None:
        for number in asking:
            signal.signal(number, signal.SIG_IGN)  # a second one would cut the clean-up short
        raise KeyboardInterrupt

    for number in asking:
        signal.signal(number, stop)


def _is_heard(number: signal.Signals) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


@contextmanager
def own_folder(folder: Path, is_new: bool) -> Generator[None]:
    """The folder for one demo, or one look at the last one, at a time; emptied for a new one."""
    mark = folder / MARK
    if not (is_new or mark.exists()):
        raise typer.BadParameter(f"{folder} holds no demo to look at: run one first, make demo")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(PASSED)
    if any(folder.iterdir()) and not mark.exists():
        raise typer.BadParameter(f"{folder} holds something else than a demo: give an empty folder")
    try:
        lock = FileLock(mark, fallback_to_soft=False).acquire(blocking=False)
    except Timeout:
        raise typer.BadParameter(
            f"another demo is at work in {folder}, or somebody looks at it (--look): end it first"
        ) from None
    with lock:
        for path in folder.iterdir() if is_new else ():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != mark:
                path.unlink()
        yield


def _simulated(folder: Path, say: Say) -> Bank:
    import simulator
    from simulator.corrections import correct

    say(f"simulating a bank: {CUSTOMERS:,} customers, {MONTHS} months, then {DAYS} days, the last one with bad files")
    made = simulator.generate(CUSTOMERS, MONTHS, SEED, folder, days=DAYS, faults=True)
    say(f"{made.deliveries:,} deliveries with {made.rows:,} rows have landed")
    for line in correct(made.landing, *(made.last_date - timedelta(days=ago) for ago in (2, 1, 0))):
        say(line)
    bank = _bank(folder, "simulated", made.truth)
    return replace(bank, dates=bank.dates[-DAYS:])


def _berka(folder: Path, source: Path, say: Say) -> Bank:
    from lakehouse.adapters import berka

    say(f"turning the Berka bank's files in {source} into deliveries")
    made = berka.adapt(source, folder / "landing")
    say(f"{made.deliveries:,} deliveries with {sum(made.rows.values()):,} rows have landed")
    return _bank(folder, "berka", None)


def _bank(folder: Path, deployment: str, truth: Path | None) -> Bank:
    settings = Settings.below(
        folder,
        legal_holds=None,  # the installation's own
        deployment=PROJECT / "deployments" / f"{deployment}.yml",
        target="duckdb",
    )
    (folder / "env").write_text(settings.shell(without=SECRETS))
    return Bank(settings, landed_dates(settings.landing), truth)


def _run(bank: Bank, say: Say) -> None:
    """Back-fill the bank's dates by Airflow, the last one when the others are there; the other DAGs follow by assets.

    While a date is built, the deliveries of the next are taken in already.
    """
    *dates, last = bank.dates
    with reading_models(bank.settings, bank.dates[0]), _airflow(bank, say) as (airflow, dag_ids):

        def backfill(what: str, days: list[date]) -> None:
            say(f"back-fill of {what}: {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else ""))
            for dag_id in sorted(dag_ids & PRODUCERS):
                airflow.backfill(dag_id, days[0], days[-1])
            follow(airflow, dag_ids, days, say)

        backfill("the initial load, with the first days" if dates else "the initial load", dates or [last])
        with writing_dbt_docs(bank.settings, last) as docs:
            if dates:
                if bank.truth:
                    _live(bank, bank.truth, last, say)
                backfill("the last day", [last])
            say("every DAG has succeeded for every date")
            docs()


def _live(bank: Bank, truth: Path, day: date, say: Say) -> None:
    """An hour of the day as events, before its files are taken in; then what the bank's people send in the evening."""
    from lakehouse import intraday
    from simulator import staff
    from simulator.intraday import replay, to_landing

    landing = bank.settings.landing
    sent = replay(landing, day, to_landing(landing), rate=0, seconds=1, hours=range(LIVE_HOUR, LIVE_HOUR + 1))
    intraday.run(bank.settings, every=1, seconds=0)
    say(f"{day} {LIVE_HOUR:02}:00 to {LIVE_HOUR + 1:02}:00 UTC: {sum(sent.values())} events, shown to readers at once")
    say(staff.decide(bank.settings, truth, day))
    say(staff.call(bank.settings, SEED, day))
    say(staff.tag(bank.settings, day))


def _look(bank: Bank, say: Say) -> None:
    with _airflow(bank, say):
        signal.pause()


@contextmanager
def _airflow(bank: Bank, say: Say) -> Generator[tuple[LocalAirflow, set[str]]]:
    """A running Airflow, and the DAGs of the bank's deployment."""
    dag_ids = {"ingest_branch", "build_customer_360", "score_customers", "retrain_models"}
    if load_deployment(bank.settings.deployment).feeds_of("online"):
        dag_ids.add("ingest_online")
    say("starting Airflow")
    with local_airflow(bank.settings.lake.parent / "airflow", bank.settings, bank.dates[-1], dag_ids) as airflow:
        say(f"Airflow is up at {airflow.url}")
        yield airflow, dag_ids


if __name__ == "__main__":
    typer.run(main)
