"""Commands about deliveries: checked, landed, accepted, retracted, simulated, or made of foreign data (``adapt``)."""

import re
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from c360.cli.output import Json, console, long_work, progress, show, spoken, tell, writing
from lakehouse.errors import Stop

if TYPE_CHECKING:  # it loads DuckDB and Arrow, for which most commands do not wait
    from lakehouse.ingestion.sending import Draft

adapt = typer.Typer(no_args_is_help=True, help="Turn foreign data into the bank's deliveries.")
Damage = Literal["none", "hard"]
Sent = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File as the feed's contract has it.")]
OfFeed = Annotated[str, typer.Option("--feed", help="Feed that it is of, such as transactions.")]
OfDelivery = Annotated[str, typer.Argument(help="Its id, such as transactions/2026-01-05/v1-0123456789ab.")]
OfDeliveryOrDay = Annotated[str, typer.Argument(help="Id of a delivery, or a day such as 2026-01-05 without any.")]
By = Annotated[str, typer.Option(help="Who decides: a name or a staff number.")]
Why = Annotated[str, typer.Option(help="The reason; it is kept with the name.")]
OfPeriod = Annotated[str, typer.Option("--date", help="Business date, or YYYY-MM: a month of an initial load.")]


def check(file: Sent, feed: OfFeed, period: OfPeriod, json_: Json = False) -> None:
    """Say what would become of a file; exit code 1 if it would be rejected. Nothing is written."""
    from lakehouse.ingestion import check as rehearse
    from lakehouse.settings import Settings

    draft = rehearse(Settings.from_env(), file, feed, period)
    _show_draft(draft, "would be taken in", json_)
    if draft.findings.problem:
        raise Stop(draft.findings.problem)
    if draft.implausible:
        raise Stop(draft.implausible, "or, if it is right, land it with --by and --why")


def land(
    file: Sent,
    feed: OfFeed,
    period: OfPeriod,
    by: Annotated[str, typer.Option(help="Who accepts a file that looks wrong as it is.")] = "",
    why: Annotated[str, typer.Option(help="The reason; it is kept with the name.")] = "",
    json_: Json = False,
) -> None:
    """Put a file into the landing folder with the manifest that completes it; the next run takes it in."""
    from lakehouse.ingestion import land as put
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    with writing(settings.landing):
        draft = put(settings, file, feed, period, by, why)
    _show_draft(draft, "has landed", json_)


def accept(delivery: OfDeliveryOrDay, by: By, why: Why) -> None:
    """Accept a delivery that looks wrong, or a day without any: the next run takes it as it is."""
    from lakehouse.ingestion import accept as decide
    from lakehouse.ingestion import accept_silence
    from lakehouse.settings import Settings

    if re.fullmatch(r"\d{4}-\d\d-\d\d", delivery):
        accept_silence(Settings.from_env(), date.fromisoformat(delivery), by, why)
        tell("{day} is accepted as a day without deliveries: run the next date again", day=delivery)
        return
    outcome = decide(Settings.from_env(), delivery, by, why)
    tell("{delivery} is accepted: run {date} again", delivery=outcome.delivery_id, date=outcome.cutoff_date)


def retract(delivery: OfDelivery, by: By, why: Why) -> None:
    """Take back a delivery, as if it had not come; the next run builds again what it touched."""
    from lakehouse.ingestion import retract as decide
    from lakehouse.settings import Settings

    outcome = decide(Settings.from_env(), delivery, by, why)
    tell("{delivery} is retracted: run the last business date again", delivery=outcome.delivery_id)


def _show_draft(draft: "Draft", what: str, as_json: bool) -> None:
    """A line for the delivery, one per kind of bad row, and one per control sum."""
    findings = draft.findings
    is_refused = findings.problem or (draft.implausible and what.startswith("would"))
    say = spoken()
    rows = {"rows": f"{findings.rows:,}", "bad": f"{findings.bad_rows:,}"}
    content = {
        "delivery": f"{draft.name} {say('would be rejected') if is_refused else say(what)}",
        "rows": say("{rows}, of them {bad} for the quarantine", **rows),
    }
    if findings.min_business_date:
        days = {"first": findings.min_business_date, "last": findings.max_business_date}
        content["business dates"] = say("{first} to {last}", **days)
    for kind in findings.kinds:
        about = say("column {column}: ", column=kind.column) if kind.column else ""
        counts = {"count": f"{kind.rows:,}", "row": kind.first_row}
        content[f"{about}{say.code(kind.reason)}"] = say("{count} rows, the first in row {row}", **counts)
    for column, count in draft.unknown.items():
        about = say("column {column}: unknown", column=column)
        content[about] = say("{count} rows: no delivery that was taken in has the value", count=f"{count:,}")
    content |= {say("sum of {column}", column=name): f"{total:,}" for name, total in findings.control_sums.items()}
    document = vars(findings) | {"implausible": draft.implausible, "unknown": draft.unknown}
    show(document if as_json else content, as_json)


def simulate(
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder that gets landing/ and truth/.")],
    customers: Annotated[int, typer.Option(min=1)] = 2000,
    months: Annotated[int, typer.Option(min=1, help="Months of history, one delivery per feed and month.")] = 24,
    seed: int = 1,
    days: Annotated[int, typer.Option(min=0, help="Business dates after the history, one delivery per feed each.")] = 0,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"])] = datetime(2024, 1, 1),
    faults: Annotated[bool, typer.Option(help="Plant bad rows and a truncated file on the last day.")] = False,
    damage: Annotated[Damage, typer.Option(help="hard: 30 % of identity fields wrong, no document online.")] = "none",
    json_: Json = False,
) -> None:
    """Write the deliveries of a simulated bank, and the truth behind them."""
    import simulator

    with writing(out), long_work(None, "simulate"):
        summary = simulator.generate(
            customers,
            months,
            seed,
            out,
            days=days,
            start=start.date(),
            faults=faults,
            is_hard=damage == "hard",
            progress=progress(),
        )
    show(summary, json_)


def simulate_intraday(
    source: Annotated[Path, typer.Option("--from", exists=True, file_okay=False, help="Folder with the day's files.")],
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date to replay.")],
    landing: Annotated[Path | None, typer.Option(help="Landing folder to write; by default C360_LANDING.")] = None,
    rate: Annotated[float, typer.Option(min=0, help="Events a second; 0: as fast as they can be written.")] = 1000,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of events in a micro-batch.")] = 1,
    copies: Annotated[int, typer.Option(min=1, help="How often the day is sent, under new numbers: a load test.")] = 1,
    hour: Annotated[int | None, typer.Option(min=0, max=23, help="Only the events of this hour, UTC.")] = None,
    broker: Annotated[bool, typer.Option("--broker", help="Send to C360_BROKER_URL instead.")] = False,
    json_: Json = False,
) -> None:
    """Send a business date's postings and wallet payments as micro-batches, at the pace of a live source."""
    from lakehouse.intraday.brokers import connect
    from lakehouse.settings import Settings
    from simulator.intraday import replay, to_broker, to_landing

    settings = Settings.from_env(landing=landing)
    if broker and not settings.broker_url:
        raise Stop(
            "no broker", "set C360_BROKER_URL, for instance to redis://localhost:6379/0 or kafka://localhost:9092"
        )
    send = to_broker(connect(settings)) if broker else to_landing(settings.landing)
    with writing(settings.landing), long_work(settings.lake, "simulate intraday"):
        hours = range(24) if hour is None else range(hour, hour + 1)
        sent = replay(source, day.date(), send, rate, seconds, copies, hours)
    say = spoken()
    show(sent if json_ else {say("{feed} sent", feed=say.code(feed)): count for feed, count in sent.items()}, json_)


@adapt.command()
def berka(
    source: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the .asc files.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Landing folder to write.")],
    json_: Json = False,
) -> None:
    """The PKDD'99 Berka bank as branch deliveries."""
    from lakehouse.adapters import berka as adapter

    with writing(out), long_work(None, "adapt"):
        summary = adapter.adapt(source, out)
    show(summary, json_)


@adapt.command()
def berka_loans(
    source: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the .asc files.")],
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
) -> None:
    """The Berka bank's loans, as known before each grant, for ml_jobs/examples/loan_default.yml."""
    from lakehouse.adapters import berka as adapter

    with writing(out), long_work(None, "adapt"):
        count = adapter.write_loans(source, out)
    tell("{count} loans: {path}", count=count, path=out)


@adapt.command("csv")
def csv_(
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV file with a header row.")],
    feed: Annotated[str, typer.Argument(help="Feed that its rows become, such as customers.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Landing folder to write.")],
    month: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="Month of the delivery, an initial load.")],
    column: Annotated[
        list[str], typer.Option("--set", help="column=SQL over the CSV's columns, all text. Not set: empty.")
    ],
    delimiter: Annotated[str | None, typer.Option(help="Between fields; by default what divides the header.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Such as gb18030; by default UTF-8.")] = None,
) -> None:
    """A CSV file as one delivery of a feed."""
    from lakehouse.adapters.csv import adapt as adapt_csv

    if unreadable := [item for item in column if "=" not in item]:
        raise Stop(f"--set {unreadable[0]}: no column is named", "write column=SQL, for instance name=full_name")
    expressions = dict(item.split("=", 1) for item in column)
    with writing(out), long_work(None, "adapt"):
        adapted = adapt_csv(source, feed, expressions, month.date(), out, delimiter, encoding)
    for note in adapted.notes:
        console.print(note, soft_wrap=True)
    tell("{count} rows delivered", count=f"{adapted.rows:,}")
