"""The console command ``c360``. Each command is one call into a module; imports wait until a command needs them."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from c360.cli import reports, sources
from c360.cli.activate import activate
from c360.cli.alerts import alerts
from c360.cli.api import api
from c360.cli.app import app as workbench
from c360.cli.audit import audit
from c360.cli.backup import backup, restore
from c360.cli.bi import bi
from c360.cli.erase import erase
from c360.cli.evaluate import evaluate
from c360.cli.export import export, relocate
from c360.cli.identity import identity
from c360.cli.intraday import intraday
from c360.cli.lineage import lineage, reproduce
from c360.cli.metrics import metrics
from c360.cli.ml import ml
from c360.cli.output import Json, StoppingGroup, Target, day_of, labelled, long_work, progress, show, spoken, tell
from c360.cli.proposals import list_proposals, propose, sign
from c360.cli.receipt import receipt
from c360.cli.restatements import restatements
from c360.cli.retain import retain
from c360.cli.roles import roles
from c360.cli.secret import secret
from c360.cli.tags import tags

app = typer.Typer(
    cls=StoppingGroup, no_args_is_help=True, help="A bank's customer information: feeds in, customers and scores out."
)


@app.callback()
def enter() -> None:
    """What a command writes, nobody else on the machine may read; what it logs has the form that is asked for."""
    from c360.telemetry import logs
    from lakehouse.lake import close_files

    close_files()
    logs.configure()


app.command()(sources.check)
app.command()(sources.land)
app.command()(sources.accept)
app.command()(sources.retract)
app.command()(sources.simulate)
app.command()(sources.simulate_intraday)
app.command()(reports.customer)
app.command()(reports.handover)
app.command()(reports.worklist)
app.command()(propose)
app.command()(sign)
app.command(name="proposals")(list_proposals)
app.command()(relocate)
app.command()(restore)
app.command()(retain)
app.command()(lineage)
app.command()(reproduce)
app.command()(restatements)
app.add_typer(sources.adapt, name="adapt")
app.add_typer(activate, name="activate")
app.add_typer(alerts, name="alerts")
app.add_typer(identity, name="identity")
app.add_typer(reports.report, name="report")
app.add_typer(intraday, name="intraday")
app.add_typer(api, name="api")
app.add_typer(workbench, name="app")
app.add_typer(audit, name="audit")
app.add_typer(backup, name="backup")
app.add_typer(bi, name="bi")
app.add_typer(erase, name="erase")
app.add_typer(evaluate, name="evaluate")
app.add_typer(export, name="export")
app.add_typer(metrics, name="metrics")
app.add_typer(ml, name="ml")
app.add_typer(receipt, name="receipt")
app.add_typer(roles, name="roles")
app.add_typer(secret, name="secret")
app.add_typer(tags, name="tags")


@app.command()
def run(
    landing: Annotated[Path | None, typer.Option(help="Landing folder; by default C360_LANDING.")] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First date to run.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last date to run.")] = None,
    target: Target = None,
) -> None:
    """Run business dates in this process, by the steps of the DAGs: ingest, check, build, score, serve.

    By default from the first landed date that is not published yet to the last one that has landed.
    """
    from c360 import pipeline
    from lakehouse.settings import Settings

    settings = Settings.from_env(landing=landing, target=target)
    dates = pipeline.run(settings, day_of(first), day_of(last), progress(settings.lake))
    tell("built and published {dates} in {store}", dates=spoken().listed([*map(str, dates)]), store=settings.warehouse)


@app.command()
def status(target: Target = None, json_: Json = False) -> None:
    """What was built, what was published, and how the deliveries and the last runs went."""
    from c360.progress import going_on, line_of
    from c360.status import lines_of, read_status, steps_of
    from lakehouse.contracts import load_deployment
    from lakehouse.settings import Settings

    settings, now = Settings.from_env(target=target), datetime.now(UTC)
    current, say = read_status(settings), spoken()
    zone = load_deployment(settings.deployment).zone

    def tables() -> Iterator[RenderableType]:
        yield from (labelled(name, text) for name, text in lines_of(current, say))
        yield from (labelled(say("at work"), line_of(going, now, say)) for going in going_on(settings.lake, now))
        heads = (say("Ended"), say("Business date"), say("Step"), say("Outcome"))
        table = Table(*heads, title=say("Last steps"), title_justify="left")
        for step in steps_of(current, zone, say):
            table.add_row(*step)
        if table.row_count:
            yield table

    show(current, json_, tables)


@app.command()
def verify(json_: Json = False) -> None:
    """Hold every file of the lake that a delivery left against its record; exit code 1 if one was changed or lost."""
    from lakehouse.lake.integrity import verify as verified
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    with long_work(settings.lake, "verify"):
        result = verified(settings)
    show(asdict(result), json_)
    if result.changed or result.lost:
        raise typer.Exit(1)


@app.command()
def doctor(target: Target = None, json_: Json = False) -> None:
    """Try every setting, seed and limit of this installation; exit code 1 if something would stop a run."""
    from c360.doctor import examine_environment

    findings = examine_environment(target)
    content = {finding.subject: finding.verdict for finding in findings}
    marks = {True: "OK", False: "FAIL"}
    say = spoken()
    show(
        content,
        json_,
        lambda: [labelled(marks[one.is_fine], f"{one.subject}: {say.again(one.verdict)}") for one in findings],
    )
    if not all(finding.is_fine for finding in findings):
        raise typer.Exit(1)
