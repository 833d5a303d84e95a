"""The group ``tags``: groups of customers that people define by conditions on published columns."""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType

from c360.cli.output import Json, Target, day_of, labelled, show, spoken, table_of

if TYPE_CHECKING:
    from lakehouse.settings import Settings

tags = typer.Typer(no_args_is_help=True, help="Groups of customers, defined by conditions on published columns.")
Tag = Annotated[str, typer.Argument(help="Name of the tag: small letters, digits and underscores.")]
Where = Annotated[
    list[str], typer.Option("--where", help='A condition, "star_tier >= 5"; again for more. `c360 tags columns`.')
]
Any = Annotated[bool, typer.Option("--any", help="One condition is enough; by default all must hold.")]
By = Annotated[str, typer.Option(help="Who does it.")]
Why = Annotated[str, typer.Option(help="The reason.")]
First = Annotated[
    datetime | None,
    typer.Option(
        "--date", formats=["%Y-%m-%d"], help="First day on which it counts; by default the next delivery day."
    ),
]
_LISTED = ("tag", "version", "state", "owner", "member_count", "contactable_count", "expires_date", "description")


@tags.command("list")
def list_(target: Target = None, json_: Json = False) -> None:
    """Every tag: its state, who answers for it, how many customers have it, and how many of them may be contacted."""
    from lakehouse import warehouse
    from lakehouse.settings import Settings
    from lakehouse.tags import handed_in, versions

    settings = Settings.from_env(target=target)
    found = [{name: row[name] for name in _LISTED} for row in versions(settings) if row["is_current"]]
    waiting = [vars(one) for one in handed_in(settings)]
    content = {"business_date": warehouse.last_published(settings), "tags": found, "handed_in": waiting}
    show(content, json_, lambda: [table_of(found), *_waiting(waiting)])


@tags.command("show")
def show_(tag: Tag, target: Target = None, json_: Json = False) -> None:
    """A tag: every version of it, with its conditions, and what is handed in and does not count yet."""
    from lakehouse.errors import Stop
    from lakehouse.settings import Settings
    from lakehouse.tags import condition_words, handed_in, versions

    settings = Settings.from_env(target=target)
    found = [row for row in versions(settings) if row["tag"] == tag]
    written = [condition_words(str(row["conditions"])) for row in found]
    waiting = [vars(one) for one in handed_in(settings) if one.tag == tag]
    if not found and not waiting:
        raise Stop(f"there is no tag {tag}", "c360 tags list shows those that there are")
    said = ("version", "state", "problem", "version_date", "expires_date", "matching")
    rows = [
        {name: row[name] for name in said} | {"conditions": "\n".join(words)}
        for row, words in zip(found, written, strict=True)
    ]
    whole = [row | {"conditions": words} for row, words in zip(found, written, strict=True)]
    content = {"tag": tag, "versions": whole, "handed_in": waiting}
    head = ("tag", "description", "owner", "business_date", "member_count", "contactable_count")
    lines = [labelled(name, found[0][name]) for name in head] if found else []
    show(content, json_, lambda: [*lines, table_of(rows), *_waiting(waiting)])


@tags.command()
def columns(json_: Json = False) -> None:
    """The columns by which customers may be chosen, and the operators that fit them."""
    from c360.app.conditions import label
    from lakehouse.tags.columns import FIRST, offered
    from lakehouse.tags.definition import OPERATORS

    say = spoken()
    found: list[dict[str, object]] = [
        {
            "column": column.name if column.table == FIRST else f"{column.table}.{column.name}",
            "type": column.kind,
            "operators": ", ".join(OPERATORS[column.kind]),
            # descriptions are English, names are in both languages
            "meaning": column.description if say.language == "en" else label(column.name, say),
        }
        for column in offered().values()
    ]
    show({"columns": found}, json_, lambda: [table_of(found, "operators"), *_operators()])


@tags.command()
def preview(where: Where, any_: Any = False, target: Target = None, json_: Json = False) -> None:
    """How many customers of the published date meet conditions, and how many of them may be contacted."""
    from lakehouse.settings import Settings
    from lakehouse.tags import condition_of, count

    found = count(Settings.from_env(target=target), [condition_of(text) for text in where], "any" if any_ else "all")
    show(found, json_, lambda: _counts(vars(found)))


@tags.command()
def save(
    tag: Tag,
    where: Where,
    description: Annotated[str, typer.Option(help="Who is meant, and what for.")],
    owner: Annotated[str, typer.Option(help="Unit of the bank that answers for the tag.")],
    expires: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day on which anybody has the tag.")],
    by: By,
    why: Why = "",
    any_: Any = False,
    day: First = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Hand in a tag, or a new version of one; it counts from the next day's run on."""
    from lakehouse.settings import Settings
    from lakehouse.tags import Definition, condition_of
    from lakehouse.tags import save as save_

    settings = Settings.from_env(target=target)
    definition = Definition.of(
        tag=tag,
        description=description,
        owner=owner,
        matching="any" if any_ else "all",
        conditions=tuple(condition_of(text) for text in where),
        expires_date=expires.date(),
    )
    show(save_(settings, definition, _first_day(settings, day), by, why), json_)


@tags.command()
def retire(tag: Tag, by: By, why: Why = "", day: First = None, target: Target = None, json_: Json = False) -> None:
    """Hand in that nobody has a tag any more, from the next day's run on; its versions stay."""
    from lakehouse.settings import Settings
    from lakehouse.tags import retire as retire_

    settings = Settings.from_env(target=target)
    show(retire_(settings, tag, _first_day(settings, day), by, why), json_)


@tags.command()
def export(
    tag: Tag,
    out: Annotated[Path, typer.Option(help="File of comma-separated values to write; it must not exist.")],
    by: By,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Hand a tag on as a file: whom the bank may contact at this moment, and how many it leaves out, and why."""
    from lakehouse.settings import Settings
    from lakehouse.tags import export as export_

    found = export_(Settings.from_env(target=target), tag, out, by)
    said = ("tag", "version", "business_date", "members", "handed_on", "path")
    show(found, json_, lambda: [*(labelled(name, getattr(found, name)) for name in said), *_left_out(found.left_out)])


def _left_out(counts: dict[str, int]) -> Sequence[RenderableType]:
    return [labelled("left out", f"{n}: {spoken().code(why)}") for why, n in counts.items()]


def _first_day(settings: "Settings", day: datetime | None) -> date:
    from lakehouse import warehouse
    from lakehouse.contracts import load_deployment

    return day_of(day) or load_deployment(settings.deployment).next_delivery_day(warehouse.last_published(settings))


def _counts(found: dict) -> Sequence[RenderableType]:
    lines = [labelled(name, found[name]) for name in ("business_date", "members", "contactable")]
    return [
        *lines,
        *(labelled("not to be contacted", f"{n}: {spoken().code(why)}") for why, n in found["blocked"].items()),
    ]


def _waiting(waiting: list[dict]) -> Sequence[RenderableType]:
    """What is handed in, if anything is."""
    return [labelled("handed in", spoken()("counts from its day's run on")), table_of(waiting)] if waiting else []


def _operators() -> Sequence[RenderableType]:
    from lakehouse.tags.definition import OPERATORS

    return [labelled(kind, ", ".join(operators)) for kind, operators in OPERATORS.items()]
