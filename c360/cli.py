"""The console command ``c360``. Each command is one call into a module; imports wait until a command needs them."""

import json
from datetime import date, datetime
from pathlib import Path
from time import monotonic
from typing import Annotated, Literal

import typer
from rich.console import Console

from ml_jobs.cli import ml

app = typer.Typer(no_args_is_help=True, help="A bank's customer information: feeds in, customers and scores out.")
adapt = typer.Typer(no_args_is_help=True, help="Turn foreign data into the bank's deliveries.")
intraday = typer.Typer(no_args_is_help=True, help="The intraday road: events to readers within seconds.")
evaluate = typer.Typer(no_args_is_help=True, help="Hold what the system says against the truth.")
identity = typer.Typer(no_args_is_help=True, help="Who is who: the linkage model, and why it joins two records.")
report = typer.Typer(no_args_is_help=True, help="Reports over what is published.")
app.add_typer(adapt, name="adapt")
app.add_typer(identity, name="identity")
app.add_typer(report, name="report")
app.add_typer(intraday, name="intraday")
app.add_typer(evaluate, name="evaluate")
app.add_typer(ml, name="ml")

console, errors = Console(), Console(stderr=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Target = Annotated[
    str | None, typer.Option(help="Engine and store: duckdb or postgres; by default C360_TARGET or duckdb.")
]
WHY_NOT = "the detail of the step score in ops.runs says why"
Damage = Literal["none", "hard"]
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
    damage: Annotated[Damage, typer.Option(help="hard: 30 % of identity fields wrong, no document online.")] = "none",
) -> None:
    """Write the deliveries of a simulated bank, and the truth behind them."""
    import simulator

    summary = simulator.generate(
        customers,
        months,
        seed,
        out,
        days=days,
        start=start.date(),
        faults=faults,
        is_hard=damage == "hard",
        progress=_progress(),
    )
    console.print(summary)


@app.command()
def simulate_intraday(
    source: Annotated[Path, typer.Option("--from", exists=True, file_okay=False, help="Folder with the day's files.")],
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date to replay.")],
    landing: Annotated[Path | None, typer.Option(help="Landing folder to write; by default C360_LANDING.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as they can be written.")] = 1000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of events in a micro-batch.")] = 1,
    copies: Annotated[int, typer.Option(min=1, help="Send the day so often, under new numbers: a load test.")] = 1,
    broker: Annotated[bool, typer.Option("--broker", help="Send to C360_BROKER_URL instead.")] = False,
) -> None:
    """Send a business date's postings and wallet payments as micro-batches, at the pace of a live source."""
    from c360.settings import Settings
    from simulator.intraday import replay, to_broker, to_landing

    settings = Settings.from_env(landing=landing)
    if broker and not settings.broker_url:
        errors.print("no broker: set C360_BROKER_URL, for instance to redis://localhost:6379/0", style="red")
        raise typer.Exit(2)
    send = to_broker(settings.broker_url) if broker else to_landing(settings.landing)
    console.print(replay(source, day.date(), send, rate, seconds, copies))


@intraday.command("run")
def intraday_run(
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between cycles.")] = 5,
    seconds: Annotated[float | None, typer.Option(help="End after so many seconds; 0: one cycle.")] = None,
    target: Target = None,
) -> None:
    """Take in events from landing/intraday, and from C360_BROKER_URL if set, and show readers the day so far."""
    from c360.intraday import LoopRuns, NothingPublished, run
    from c360.settings import Settings

    try:
        cycles = run(Settings.from_env(target=target), every, seconds)
    except (LoopRuns, NothingPublished) as failure:
        errors.print(f"stopped: {failure}", style="red", markup=False)
        raise typer.Exit(1) from failure
    console.print(f"{cycles} cycles")


@intraday.command("status")
def intraday_status(target: Target = None, json_: Json = False) -> None:
    """What the loop has taken in, how long events are under way, and what waits."""
    from c360.intraday import read_status
    from c360.settings import Settings

    _show(read_status(Settings.from_env(target=target)), json_)


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


@adapt.command("csv")
def csv_(
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV file with a header row.")],
    feed: Annotated[str, typer.Argument(help="Feed that its rows become, such as customers.")],
    out: Annotated[Path, typer.Option(help="Landing folder to write.")],
    month: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="Month of the delivery, an initial load.")],
    column: Annotated[
        list[str], typer.Option("--set", help="column=SQL over the CSV's columns, all text. Not set: empty.")
    ],
) -> None:
    """A CSV file as one delivery of a feed."""
    from c360.adapters.csv import adapt as adapt_csv

    expressions = dict(item.split("=", 1) for item in column)
    console.print(f"{adapt_csv(source, feed, expressions, month.date(), out):,} rows")


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


@app.command()
def handover(
    rm: Annotated[str, typer.Argument(help="Staff number of the relationship manager.")],
    names: Annotated[bool, typer.Option("--names", help="Show customers' names: personal data.")] = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """What a colleague needs to take over from a relationship manager: customers, open actions, promises, contacts."""
    from c360.handover import NoSuchManager, hand_over, pack_table
    from c360.settings import Settings

    try:
        pack = hand_over(Settings.from_env(target=target), rm, names)
    except NoSuchManager as failure:
        errors.print(f"stopped: {failure}", style="red", markup=False)
        raise typer.Exit(1) from failure
    if json_:
        _show(pack, json_)
    else:
        console.print(pack_table(pack))


@app.command()
def customer(
    key: Annotated[str, typer.Argument(help="Customer, or any record of one, such as cif:C100000001.")],
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with plots here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """One customer on one page: holdings, tier, stage, money, chain, changes, scores, next action, journey."""
    from c360.customer import NoSuchCustomer, picture, picture_page, picture_text
    from c360.settings import Settings

    try:
        found = picture(Settings.from_env(target=target), key)
    except NoSuchCustomer as failure:
        errors.print(f"stopped: {failure}", style="red", markup=False)
        raise typer.Exit(1) from failure
    if html:
        html.write_text(picture_page(found), encoding="utf-8")
    if json_:
        _show(found, json_)
    else:
        console.print(picture_text(found))


@report.command()
def survival(
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with the plot here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """How long customers stay, per cohort of their first product, with intervals."""
    from c360.settings import Settings
    from c360.survival import curves_page, curves_table, survival_curves

    found = survival_curves(Settings.from_env(target=target))
    if html:
        html.write_text(curves_page(found), encoding="utf-8")
    if json_:
        _show(found, json_)
    else:
        console.print(curves_table(found))


@report.command()
def segments(
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with a plot per group here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """The customers without a relationship manager in groups: size, value, cost, churn, the channel that works."""
    from c360.segments import segment_report, segments_page, segments_table
    from c360.settings import Settings

    found = segment_report(Settings.from_env(target=target))
    if html:
        html.write_text(segments_page(found), encoding="utf-8")
    if json_:
        _show(found, json_)
    else:
        console.print(segments_table(found) if found["groups"] else f"no groups: {WHY_NOT}")


@report.command()
def forecast(
    fund_yield: Annotated[float, typer.Option(help="What if money-market fund yields rose by so many points?")] = 0.0,
    deposit_rate: Annotated[
        float, typer.Option(help="What if the one-year deposit rate rose by so many points?")
    ] = 0.0,
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with plots here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Deposits, investments and outflows 13 weeks ahead, how good such forecasts were, and what if rates moved.

    `--fund-yield 0.5`: yields rise by 50 basis points. The effect is what the history shows, with its interval.
    """
    from c360.forecast import forecast_page, forecast_report, forecast_tables
    from c360.settings import Settings

    shifts = {"mmf_yield": fund_yield, "deposit_1y": deposit_rate}
    found = forecast_report(Settings.from_env(target=target), {rate: shift for rate, shift in shifts.items() if shift})
    if html:
        html.write_text(forecast_page(found), encoding="utf-8")
    if json_:
        _show(found, json_)
    else:
        console.print(*forecast_tables(found) if found["forecasts"] else [f"no forecast: {WHY_NOT}"], sep="\n")


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


@evaluate.command()
def recommendations(target: Target = None, json_: Json = False) -> None:
    """Recommendations of past month-ends against what was bought after: MAP, hit rate, coverage, diversity."""
    from c360.settings import Settings
    from ml_jobs import recommending

    try:
        found = recommending.evaluate(Settings.from_env(target=target))
    except ValueError as failure:
        errors.print(f"stopped: {failure}", style="red", markup=False)
        raise typer.Exit(1) from failure
    if json_:
        _show(found, json_)
    else:
        console.print(*recommending.tables(found), sep="\n")


@evaluate.command("identity")
def evaluate_identity(
    truth: Annotated[
        Path | None,
        typer.Option(exists=True, help="CSV of record id and person id, or truth/; by default the one beside landing."),
    ] = None,
    landing: Annotated[Path | None, typer.Option(help="Landing folder; by default C360_LANDING.")] = None,
    json_: Json = False,
) -> None:
    """Take in what has landed, join it, and compare customers with true persons: precision, recall, F1."""
    from c360.identity.evaluation import evaluate, quality_table
    from c360.settings import Settings

    settings = Settings.from_env(landing=landing)
    try:
        quality = evaluate(settings, truth or settings.landing.parent / "truth")
    except (ValueError, OSError) as failure:
        errors.print(f"stopped: {failure}", style="red", markup=False)
        raise typer.Exit(1) from failure
    if json_:
        _show(quality, json_)
    else:
        console.print(quality_table(quality))


@identity.command()
def train() -> None:
    """Learn a new model from all that the lake knows, by linkage.yml: customers are made anew (a re-key)."""
    from c360.identity.explain import latest_pin
    from c360.identity.link import retrain
    from c360.settings import Settings

    settings = Settings.from_env()
    model = retrain(settings, latest_pin(settings))
    if model is None:
        errors.print(
            "stopped: the records cannot support a model: see training in c360/identity/linkage.yml", style="red"
        )
        raise typer.Exit(1)
    console.print(f"model {model.version} compares {', '.join(model.columns)}; it holds from the next run on")


@identity.command()
def chart(out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("match_weights.html")) -> None:
    """What each agreement and each difference weighs in the current model."""
    from c360.identity.explain import match_weights
    from c360.settings import Settings

    _write_page(match_weights, out, Settings.from_env())


@identity.command()
def explain(
    left: Annotated[str, typer.Argument(help="Party record, such as cif:C100000001.")],
    right: Annotated[str, typer.Argument(help="Another one.")],
    out: Annotated[Path, typer.Option(help="HTML file to write; it shows personal data.")] = Path("waterfall.html"),
) -> None:
    """Why two party records are one customer or are not: a waterfall of the evidence."""
    from c360.identity.explain import waterfall
    from c360.settings import Settings

    _write_page(waterfall, out, Settings.from_env(), left, right)


def _write_page(make, out: Path, *arguments: object) -> None:
    try:
        page = make(*arguments)
    except ValueError as failure:
        errors.print(f"stopped: {failure}", style="red", markup=False)
        raise typer.Exit(1) from failure
    out.write_text(page)
    console.print(f"written to {out}")


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
