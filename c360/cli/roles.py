"""The group ``roles``: who reads what on Postgres."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from c360.cli.output import Json, Target, console, show, spoken, tell

roles = typer.Typer(no_args_is_help=True, help="Roles on Postgres: what c360/access/roles.yml gives them, and no more.")


@roles.command()
def apply(target: Target = None) -> None:
    """Grant each role what it may read, follow who is of which branch, and name what an administrator has to do.

    Every publish does the same.
    """
    from c360.access import load_rights
    from c360.audit import note
    from lakehouse import warehouse
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    rights = load_rights(settings)
    note(settings, "rights", "roles apply", f"{len(rights.roles)} roles, {len(rights.people)} people")
    left = warehouse.apply_rights(settings, rights)
    tell(
        "{roles} roles and {people} people follow c360/access/roles.yml",
        roles=len(rights.roles),
        people=len(rights.people),
    )
    if left:
        tell("an administrator of the server has to run:")
        for one in left:
            console.print(f"  {one.remedy};", highlight=False, soft_wrap=True)


@roles.command()
def verify(
    every: Annotated[bool, typer.Option("--all", help="Every right, not only what is wrong.")] = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Hold every right on every published table against the table of permissions; exit code 1 if one differs."""
    from c360.access import load_rights
    from lakehouse import warehouse
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    found = warehouse.look_at_rights(settings, load_rights(settings))
    wrong = [one for one in found if not one.is_fine]

    def tables() -> Iterator[RenderableType]:
        table = Table("role", "table", "verb", "expected", "found")
        for one in found if every else wrong:
            table.add_row(one.role, one.about, one.verb, one.expected, one.found)
        if table.row_count:
            yield table
        say, counts = spoken(), {"wrong": f"{len(wrong):,}", "count": f"{len(found):,}"}
        if wrong:
            yield say("{wrong} of {count} rights are not as roles.yml says: run `c360 roles apply`", **counts)
        else:
            yield say("all {count} rights are as roles.yml says", count=counts["count"])

    show({"rights": [asdict(one) for one in (found if every else wrong)], "count": len(found)}, json_, tables)
    if wrong:
        raise typer.Exit(1)
