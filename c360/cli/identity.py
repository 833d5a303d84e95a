"""The group ``c360 identity``: train the linkage model, and explain why it joins two records."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from c360.cli.output import Json, errors, long_work, show, spoken, table_of, tell, write_page
from lakehouse.errors import Stop

if TYPE_CHECKING:
    from c360.desk import Rehearsal

KINDS = ("same", "different", "withdrawn")

identity = typer.Typer(no_args_is_help=True, help="The linkage model, and why it joins two records.")


@identity.command()
def train() -> None:
    """Train a new model on all records in the lake, as linkage.yml says: customers get new keys (a re-key)."""
    from c360 import four_eyes
    from c360.audit import note
    from lakehouse.identity.explain import latest_pin
    from lakehouse.identity.link import retrain
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    if four_eyes.is_on(settings):
        raise Stop("a re-key needs two names", "c360 propose rekey identity, and somebody else: c360 sign")
    with long_work(settings.lake, "identity train"):
        model = retrain(settings, latest_pin(settings))
    if model is None:
        raise Stop("the records cannot support a model", "see training in lakehouse/identity/linkage.yml")
    note(settings, "model", "identity", f"model {model.version}: customers get new keys (a re-key)")
    say = spoken()
    compared = say.listed([say.heading(column) for column in model.columns])
    tell("model {version} compares {columns}; it holds from the next run on", version=model.version, columns=compared)


@identity.command()
def chart(out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("match_weights.html")) -> None:
    """What each agreement and each difference weighs in the current model."""
    from lakehouse.identity.explain import match_weights
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    with long_work(settings.lake, "identity chart"):
        write_page(out, lambda: match_weights(settings))
    tell("written to {path}", path=out)


@identity.command()
def explain(
    left: Annotated[str, typer.Argument(help="Party record, such as cif:C100000001.")],
    right: Annotated[str, typer.Argument(help="Another one.")],
    out: Annotated[Path, typer.Option(help="HTML file to write; it shows personal data.")] = Path("waterfall.html"),
) -> None:
    """Why two party records are one customer or are not: a waterfall of the evidence."""
    from c360.audit import note_views
    from lakehouse.identity.explain import waterfall
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    with long_work(settings.lake, "identity explain"):
        page = waterfall(settings, left, right, spoken())
    note_views(settings, "identity explain", [left, right], "with names")
    write_page(out, lambda: page)
    tell("written to {path}", path=out)


@identity.command()
def rehearse(
    left: Annotated[str, typer.Argument(help="Party record, such as cif:C100000001.")],
    right: Annotated[str, typer.Argument(help="Another one.")],
    same: Annotated[bool, typer.Option("--same", help="A clerk says that both are one customer.")] = False,
    different: Annotated[bool, typer.Option("--different", help="... that they are two.")] = False,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="... takes back what was decided.")] = False,
    as_json: Json = False,
) -> None:
    """What a decision on a pair would change: the published date is built once more, on a copy that goes away."""
    from c360.desk import rehearse as rehearsed
    from lakehouse.settings import Settings

    said = [kind for kind, is_said in zip(KINDS, (same, different, withdrawn), strict=True) if is_said]
    if len(said) != 1:
        raise Stop("a rehearsal is of one decision", "give one of --same, --different, --withdrawn")
    settings = Settings.from_env()
    with long_work(settings.lake, "identity rehearse"):
        found = rehearsed(
            settings, left, right, said[0], lambda step: errors.print(spoken()("step_" + step), highlight=False)
        )
    show(found, as_json, lambda: _tables_of(found))


def _tables_of(found: "Rehearsal") -> list[Table]:
    """What changes, of these customers one by one, of all others by number."""
    moves = [vars(move) for move in found.moves]
    figures = [vars(figure) for figure in found.changed]
    tables = [{"table": name, **vars(change)} for name, change in found.tables.items()]
    others = {"customers": found.other_customers, "figures": found.other_count, "seconds": found.seconds}
    return [table_of(rows) for rows in (moves, figures, tables, [others])]
