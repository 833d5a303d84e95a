"""The console command ``c360``. Each command is one call into a module; imports wait until a command needs them."""

import json
from datetime import date, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console

from ml_jobs.cli import ml

app = typer.Typer(no_args_is_help=True, help="A bank's customer information: feeds in, customers and scores out.")
adapt = typer.Typer(no_args_is_help=True, help="Turn foreign data into the bank's deliveries.")
evaluate = typer.Typer(no_args_is_help=True, help="Hold what the system says against the truth.")
app.add_typer(adapt, name="adapt")
app.add_typer(evaluate, name="evaluate")
app.add_typer(ml, name="ml")

console, errors = Console(), Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Target = Annotated[
    str | None, typer.Option(help="Engine and store: duckdb or postgres; by default C360_TARGET or duckdb.")
]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]


@app.command()
def simulate(
    out: Annotated[Path, typer.Option(help="Folder that gets landing/ and truth/.")],
    customers: Annotated[int, typer.Option(min=1)] = 2000,
    months: Annotated[int, typer.Option(min=1, help="Months of history, one delivery per feed and month.")] = 24,
    seed: int = 1,
    days: Annotated[int, typer.Option(min=0, help="Business dates after the history, one delivery per feed each.")] = 0,
    start: Day = datetime(2024, 1, 1),
    faults: Annotated[bool, typer.Option(help="Plant bad rows and a truncated file on the last day.")] = False,
) -> None:
    """Write the deliveries of a simulated bank, and the truth behind them."""
    import simulator

    summary = simulator.generate(
        customers, months, seed, out, days=days, start=start.date(), faults=faults, progress=_progress()
    )
    console.print(summary)


@adapt.command()
def berka(
    source: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the .asc files.")],
    out: Annotated[Path, typer.Option(help="Landing folder to write.")],
) -> None:
    """The PKDD'99 Berka bank as branch deliveries."""
    from c360.adapters import berka as adapter

    console.print(adapter.adapt(source, out))


@adapt.command()
def berka_loans(
    source: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the .asc files.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> None:
    """The Berka bank's loans, as known before each grant, for ml_jobs/examples/loan_default.yml."""
    from c360.adapters import berka as adapter

    console.print(f"{adapter.write_loans(source, out)} loans: {out}")


@app.command()
def run(
    landing: Annotated[Path | None, typer.Option(help="Landing folder; by default C360_LANDING.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First date to run.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last date to run.")] = None,
    target: Target = None,
) -> None:
    """Run business dates in this process, the same steps as the DAGs: ingest, check, build, score, serve.

    By default from the first landed date that is not published yet to the last one that has landed.
    """
    from c360 import pipeline
    from c360.settings import Settings
    from c360.warehouse import DbtFailed
    from expectations.gates import GateFailed

    settings = Settings.from_env(landing=landing, target=target)
    try:
        dates = pipeline.run(settings, _date(first), _date(last), _progress())
    except (pipeline.NotReady, GateFailed, DbtFailed) as failure:
        errors.print("\n".join([f"stopped: {failure}", *getattr(failure, "__notes__", ())]), style="red", markup=False)
        raise typer.Exit(1) from failure
    console.print(f"built and published {', '.join(map(str, dates))} in {settings.warehouse}")


@app.command()
def status(target: Target = None, json_: Json = False) -> None:
    """What was built, what was published, and how the deliveries and the last runs went."""
    from c360.settings import Settings
    from c360.status import read_status

    _show(read_status(Settings.from_env(target=target)), json_)


@app.command()
def doctor(target: Target = None, json_: Json = False) -> None:
    """Check this installation; exit code 1 if something would stop a run."""
    from c360.doctor import examine
    from c360.settings import Settings

    findings = examine(Settings.from_env(target=target))
    _show({finding.subject: finding.verdict for finding in findings}, json_)
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)


@evaluate.command()
def scores(
    truth: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The simulator's truth/ folder.")],
    target: Target = None,
    json_: Json = False,
) -> None:
    """Model, baseline and oracle on the same untouched rows, with intervals."""
    from c360.settings import Settings
    from ml_jobs.report import quality_tables, score_quality

    quality = score_quality(Settings.from_env(target=target), truth)
    if json_:
        _show(quality, json_)
    else:
        console.print(*quality_tables(quality), sep="\n")


def _date(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _progress():
    began = monotonic()
    return lambda line: errors.print(f"[dim]{monotonic() - began:6.1f} s[/] {line}", highlight=False, soft_wrap=True)


def _show(content: dict, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(content, default=str, ensure_ascii=False, indent=1))
        return
    for name, value in content.items():
        console.print(f"[bold]{name}[/] {value}", soft_wrap=True, highlight=False)
