"""The group ``audit``: is it whole, and where its head is kept."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from c360.cli.output import Json, labelled, show, spoken, tell

audit = typer.Typer(no_args_is_help=True, help="What was done, by whom, in records that are linked by hashes.")


@audit.command()
def verify(
    anchor: Annotated[
        Path | None, typer.Option(exists=True, help="File or folder of anchors, kept outside the lake.")
    ] = None,
    json_: Json = False,
) -> None:
    """Walk the whole chain and every record that it knows, and name what was changed; exit code 1 if something was."""
    from c360.audit import anchors_in
    from lakehouse.lake.audit import verify as verified
    from lakehouse.settings import Settings

    found = verified(Settings.from_env().lake, anchors_in(anchor) if anchor else ())
    counted = {name: value for name, value in asdict(found).items() if name != "breaks"}

    def tables() -> Iterator[RenderableType]:
        yield from (labelled(spoken()(f"audit_{name}"), str(value)) for name, value in counted.items())
        yield from (f"BROKEN {one}" for one in found.breaks)
        yield spoken()("the audit is not what was written" if found.breaks else "the audit is whole")

    show(counted | {"breaks": [str(one) for one in found.breaks]}, json_, tables)
    if found.breaks:
        raise typer.Exit(1)


@audit.command()
def anchor() -> None:
    """Seal what is new, and write the head of the chain to the place that C360_AUDIT_ANCHOR names.

    Every publish does the same.
    """
    from c360.audit import anchor as anchored
    from c360.audit import who
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    head = anchored(settings, who())
    if settings.audit_anchor != "stdout":
        place = settings.audit_anchor
        tell("record {number} ({hash}) is anchored in {place}", number=head.number, hash=head.hash, place=place)
