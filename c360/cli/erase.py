"""The group ``erase``: a person out of every layer, and the proof of it."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from c360.cli.output import Json, Target, console, group_of, labelled, progress, show
from lakehouse.errors import Stop

erase = typer.Typer(
    cls=group_of("person"), no_args_is_help=True, help="Erase a person, and prove it (docs/PRIVACY.md)."
)


@erase.command()
def person(
    key: Annotated[str, typer.Argument(help="Customer key or party key.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept in the proof.")] = "",
    by: Annotated[str, typer.Option(help="Who decides; it is kept in the proof.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; write nothing.")] = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Erase a customer with all records; the lake is written anew, and what readers see is built and published again.

    Stop the intraday loop first. After a kill, call it again.
    """
    from c360 import erasure
    from lakehouse import erasure as of_lake
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    if dry_run:
        plan = of_lake.look_at(settings, key)

        def tables() -> Iterator[RenderableType]:
            yield labelled("records", list(plan.records))
            yield labelled("stands against it", list(plan.held))
            table = Table("feed", "rows", "what becomes of them")
            for feed, count in plan.rows.items():
                table.add_row(feed, f"{count:,}", plan.rules[feed])
            yield table

        show(plan, json_, tables)
        return
    done = erasure.erase(settings, key, by, reason, progress(settings.lake))
    show({"erasure": done.erasure_id, "files": len(done.files), "publish": done.publish_id}, json_)


@erase.command()
def proof(
    erasure_id: Annotated[str, typer.Argument(help="Id of the erasure.")],
    verify: Annotated[bool, typer.Option("--verify", help="Look through the files that it names, too.")] = False,
    json_: Json = False,
) -> None:
    """Verify the signature of an erasure's proof, and show what it says; exit code 1 if it does not fit.

    With --verify, also if a file that it names still has a token, number or row of the person.
    """
    from lakehouse import erasure as of_lake
    from lakehouse.lake.erasures import is_genuine, read_erasure
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    record = read_erasure(settings.lake, erasure_id)
    if not record.is_done:
        raise Stop(f"{erasure_id} is not finished", "c360 erase with the same key finishes it")
    if not is_genuine(record):
        raise Stop(f"{erasure_id}: the signature does not fit", "put the record back from a backup")
    looked = of_lake.look_through(settings, record) if verify else None
    show(
        {
            "erasure": record.erasure_id,
            "business date": str(record.business_date),
            "by": record.by,
            "reason": record.reason,
            "files written anew": sum(file.after is not None for file in record.files),
            "files removed": sum(file.after is None for file in record.files),
            "rows dropped": sum(file.rows_dropped for file in record.files),
            "public key": record.public_key,
            "signature": "fits",
        }
        | (
            {"files looked through": looked.looked_at, "files gone": looked.gone, "files elsewhere": looked.not_reached}
            if looked
            else {}
        ),
        json_,
    )
    if not json_:
        for feed, rule in record.rules.items():
            console.print(f"{feed}: {rule}", soft_wrap=True, highlight=False)
    if looked and looked.left:
        named = "; ".join(f"{one.place}/{one.file}: {one.what}" for one in looked.left)
        raise Stop(f"{erasure_id}: what it names still tells of the person: {named}", "restore and erase again")
    if looked and not looked.has_tokens:
        raise Stop(f"{erasure_id} is of an earlier version, and has no hashes of tokens", "numbers and rows were found")
