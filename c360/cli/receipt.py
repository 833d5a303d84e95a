"""``receipt``: why an action was handed out or withheld, and the same done again."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from typer.core import TyperGroup

from c360.cli.output import Json, day_of, show, spoken


class _ShowsByDefault(TyperGroup):
    """What is no command is the id of a receipt."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # the types are typer's alone
        is_command = args[0] in self.commands or args[0].startswith("-")
        return super().resolve_command(ctx, args if is_command else ["show", *args])


receipt = typer.Typer(
    cls=_ShowsByDefault,
    no_args_is_help=True,
    help="Why an action was handed out or withheld: c360 receipt ID shows it, and does it again.",
)

Publish = Annotated[int | None, typer.Option(min=1, help="Number of the publish; by default the last.")]


@receipt.command(name="show")
def show_one(
    receipt_id: Annotated[str, typer.Argument(help="An action_id of the worklist, or score:TASK:CUSTOMER.")],
    day: Annotated[datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date.")] = None,
    publish: Publish = None,
    json_: Json = False,
) -> None:
    """Show a receipt, and do it again; exit code 1 if something differs.

    The model of that hash scores the features that were kept, the contact policy of that day judges the facts of it.
    """
    from c360.audit import note_views
    from c360.receipts import find, shown, tables
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    content = shown(settings, find(settings.lake, receipt_id, day_of(day), publish))
    note_views(settings, "receipt", [str(content.values["customer_key"])], receipt_id)
    show(content, json_, lambda: tables(content, spoken()))
    if not content.again.is_same:
        raise typer.Exit(1)


@receipt.command()
def verify(
    day: Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Business date.")],
    publish: Publish = None,
    json_: Json = False,
) -> None:
    """Do every receipt of a date again; exit code 1 if one differs, or their file is not the one in the audit."""
    from c360.receipts import verify as verified
    from lakehouse.settings import Settings

    found = verified(Settings.from_env(), day.date(), publish)
    wrong = [one for one in found.replayed if not one.is_same]
    count, same = len(found.replayed), len(found.replayed) - len(wrong)
    content = {
        "publish_id": found.publish_id,
        "receipts": count,
        "same": same,
        "problem": found.problem,
        "differences": {one.receipt_id: one.differences for one in wrong},
    }

    def tables() -> Iterator[RenderableType]:
        said = "{same} of {count} receipts of publish {publish} come out the same again"
        yield spoken()(said, same=f"{same:,}", count=f"{count:,}", publish=found.publish_id)
        yield from (f"DIFFERS {one.receipt_id}: {'; '.join(one.differences)}" for one in wrong)
        if found.problem:
            yield f"BROKEN {found.problem}"

    show(content, json_, tables)
    if not found.is_same:
        raise typer.Exit(1)
