"""The group ``activate``: what goes to other systems, what arrived, and what did not."""

from typing import Annotated

import typer
from rich.text import Text

from c360.cli.output import Json, Target, labelled, show, spoken, table_of

activate = typer.Typer(no_args_is_help=True, help="What is published, sent to other systems as changes.")
Name = Annotated[str, typer.Argument(help="Activation: a contract below activations/.")]
SHOWN = 20  # changes of a plan, unless all are asked for


@activate.command("list")
def list_(target: Target = None, json_: Json = False) -> None:
    """Every contract: what goes where, and what arrived last."""
    from lakehouse import activation
    from lakehouse.activation.reporting import last_delivery
    from lakehouse.contracts import load_deployment
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    daily = load_deployment(settings.deployment).activations
    found: list[dict[str, object]] = [
        {
            "activation": one.name,
            "table": one.table,
            "target": one.target.kind,
            "mode": one.mode,
            "is_daily": one.name in daily,
            "last": last_delivery(settings, one.name),
        }
        for one in activation.load_activations().values()
    ]
    say = spoken()
    show(
        {"activations": found},
        json_,
        lambda: [table_of([one | {"last": say.again(str(one["last"]))} for one in found])],
    )


@activate.command()
def plan(
    name: Name,
    retry: Annotated[bool, typer.Option("--retry", help="With what the target refused, once more.")] = False,
    all_: Annotated[bool, typer.Option("--all", help=f"Every change, and not only {SHOWN}.")] = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """What `send` would do now: the difference to what the target has. Nothing is sent and nothing is written."""
    from lakehouse import activation
    from lakehouse.settings import Settings

    found = activation.plan(Settings.from_env(target=target), activation.activation_of(name), retry)
    changes: list[dict[str, object]] = [
        {
            "change": change.change,
            "key": change.key,
            "publish_id": change.publish_id,
            "row": change.row.content if change.row else None,
        }
        for change in (found.changes if all_ else found.changes[:SHOWN])
    ]
    said = {key: found.header[key] for key in ("plan_id", "publish_id", "business_date", "target")} | {
        "changes": len(found.changes),
        "added": sum(change.change == "added" for change in found.changes),
        "updated": sum(change.change == "updated" for change in found.changes),
        "deleted": sum(change.change == "deleted" for change in found.changes),
        "dead_letters": found.held_back,
        "left_out": dict(found.left_out),
    }
    content = said | {"shown": changes}
    show(content, json_, lambda: [*(labelled(key, value) for key, value in said.items()), table_of(changes, "row")])


@activate.command()
def send(
    name: Name,
    plan_id: Annotated[str | None, typer.Option("--plan", help="Send this plan, as `plan` showed it, or stop.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Send what the target lacks; of a delivery that was cut short, what did not arrive."""
    _send(name, plan_id, False, target, json_)


@activate.command()
def retry(name: Name, target: Target = None, json_: Json = False) -> None:
    """Send the dead letters once more, and what else the target lacks."""
    _send(name, None, True, target, json_)


@activate.command()
def receipts(name: Name, target: Target = None, json_: Json = False) -> None:
    """Every plan, what arrived of it and when, and what the target refused."""
    from lakehouse.activation import activation_of
    from lakehouse.activation.reporting import dead_letters, deliveries
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    activation_of(name)
    sent, dead = deliveries(settings, name), dead_letters(settings, name)
    show({"deliveries": sent, "dead_letters": dead}, json_, lambda: [*map(_line, sent), table_of(dead)])


@activate.command()
def changes(
    name: Name,
    since: Annotated[int, typer.Option(min=0, help="Publish id; changes of later publishes are shown.")] = 0,
    target: Target = None,
    json_: Json = False,
) -> None:
    """The change feed: what was added, updated and deleted since a publish, and whether it arrived."""
    from lakehouse.activation import activation_of
    from lakehouse.activation.reporting import changes_since
    from lakehouse.settings import Settings

    activation_of(name)
    found = changes_since(Settings.from_env(target=target), name, since)
    show({"changes": found}, json_, lambda: [table_of(found, "row", "event_id", "position")])


def _send(name: str, plan_id: str | None, again: bool, target: str | None, json_: bool) -> None:
    from c360 import outbound
    from lakehouse import warehouse
    from lakehouse.lake.runs import new_run_id
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    business_date = warehouse.last_published(settings)
    sent = outbound.activate(settings, name, business_date, new_run_id(business_date), plan_id, again)
    show(sent, json_)


def _line(sent: dict[str, object]) -> Text:
    """What arrived of a plan."""
    say = spoken()
    names = ("added", "updated", "deleted", "delivered", "refused", "absent")
    counts = [f"{say.heading(name)} {sent[name]}" for name in names]
    end = "" if sent["is_closed"] else say("not finished")
    place = say("publish {number}, {date}", number=sent["publish_id"], date=sent["business_date"])
    return labelled(say("plan {number}", number=sent["plan_number"]), say.listed([place, *counts, end]))
