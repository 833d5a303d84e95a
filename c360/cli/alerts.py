"""The group ``alerts``: what somebody is to know of, who was told, and who has taken it on."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from c360.cli.output import Json, Target, labelled, show, spoken, tell

if TYPE_CHECKING:  # they load DuckDB, for which the help does not wait
    from c360.alerts.messages import Message
    from lakehouse.lake.alerts import OpenCase
    from lakehouse.settings import Settings

alerts = typer.Typer(no_args_is_help=True, help="Alerts that leave the system, by mail or webhook: alerts.yml.")
At = Annotated[
    datetime | None,
    typer.Option("--at", formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"], help="Local time; by default now."),
]
SHOWN = 20  # cases, unless all are asked for


@alerts.command("list")
def list_(
    rule: Annotated[str | None, typer.Option(help="Only the cases of this rule.")] = None,
    all_: Annotated[bool, typer.Option("--all", help=f"Every case, and not only {SHOWN}.")] = False,
    at: At = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Every rule, the cases that are open, who was told of them, and who has taken them on. Nobody is told."""
    from c360 import alerts as module
    from lakehouse.errors import Stop
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    rules = module.load_alerts(settings.alerts)
    if rule is not None and rule not in rules.rules:
        raise Stop(f"there is no rule {rule}", f"use one of {', '.join(rules.rules)}")
    now = module.plan(settings, rules, tuple(rules.receivers), _moment(settings, at))
    untold = {(one.rule.name, case.name) for one in (*now.messages, *now.held) for case in one.cases}
    listed: list[dict[str, object]] = [
        {
            "rule": one.name,
            "severity": one.severity,
            "table": one.table,
            "to": ", ".join(one.to),
            "quiet hours": f"{one.quiet_hours.start}-{one.quiet_hours.end}" if one.quiet_hours else "",
            "cases": len(now.cases[one.name]),
            "not told": sum(name == one.name for name, _ in untold),
        }
        for one in rules.rules.values()
    ]
    cases = [
        _told_of(name, case.name, now.state.of(name, case.name))
        for name, found in now.cases.items()
        for case in found
        if rule in (None, name)
    ]
    shown = cases if all_ or json_ else cases[:SHOWN]
    more = (
        [Text(spoken()("{count} more cases: --all", count=len(cases) - len(shown)))] if len(shown) < len(cases) else []
    )
    show({"rules": listed, "cases": shown}, json_, lambda: [_table(listed), _table(shown), *more])


@alerts.command()
def send(
    to: Annotated[
        list[str] | None, typer.Option("--to", help="Receiver; repeatable; by default those of the deployment.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the messages; nobody is told.")] = False,
    at: At = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Tell the receivers what they have not been told, each case once; in quiet hours a rule waits."""
    from c360 import alerts as module
    from c360 import outbound
    from lakehouse.contracts import load_deployment
    from lakehouse.errors import Stop
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    rules = module.load_alerts(settings.alerts)
    receivers = rules.chosen(tuple(to or ()) or load_deployment(settings.deployment).alerts)
    if dry_run:
        now = module.plan(settings, rules, receivers or tuple(rules.receivers), _moment(settings, at))
        documents = [message.document | {"receiver": message.receiver} for message in now.messages]
        waiting = [f"{message.rule.name} to {message.receiver}" for message in now.held]
        content = {"messages": documents, "held": waiting}
        show(
            content,
            json_,
            lambda: [*map(_preview, now.messages), labelled("in quiet hours", waiting)],
        )
        return
    if not receivers:
        raise Stop(
            f"{settings.deployment.name} names nobody who is told",
            "name a receiver with --to, or list some under `alerts` in the deployment",
        )
    show(outbound.alert(settings, _moment(settings, at), receivers), json_)


@alerts.command()
def acknowledge(
    rule: Annotated[str, typer.Argument(help="Rule, as `list` shows it.")],
    case: Annotated[str, typer.Argument(help="Case, as `list` and the message show it.")],
    by: Annotated[str, typer.Option(help="Who takes it on: a name or a staff number.")],
    why: Annotated[str, typer.Option(help="What is being done; it is kept with the name.")] = "",
    at: At = None,
    target: Target = None,
) -> None:
    """Take a case on: nobody is told of it any more, until it changes."""
    from c360 import alerts as module
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    module.acknowledge(settings, module.load_alerts(settings.alerts), rule, case, by, why, _moment(settings, at))
    tell("{rule}: {case} is taken on by {by}", rule=rule, case=case, by=by)


def _moment(settings: "Settings", at: datetime | None) -> datetime:
    """The time of the command: below it, nothing reads the clock."""
    from lakehouse.contracts import load_deployment

    return at.replace(tzinfo=load_deployment(settings.deployment).zone) if at else datetime.now(UTC)


def _told_of(rule: str, case: str, known: "OpenCase") -> dict[str, object]:
    """Who was told of a case, when last, and who has taken it on."""
    return {
        "rule": rule,
        "case": case,
        "told": ", ".join(sorted(known.told)),
        "last, UTC": max((told.at[:16] for told in known.told.values()), default=""),
        "taken on by": known.acknowledged.by if known.acknowledged else "",
    }


def _preview(message: "Message") -> Text:
    return Text.assemble((spoken()("to {receiver}: ", receiver=message.receiver), "bold"), message.text)


def _table(rows: list[dict[str, object]]) -> Table:
    if not rows:
        return Table(spoken()("no cases"))
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    return table
