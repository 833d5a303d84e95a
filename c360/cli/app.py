"""The group ``app``: the workbench, and who may sign in."""

from typing import Annotated

import typer

from c360.cli.output import Target
from c360.cli.serving import LOOPBACK, PORT, YEAR, Days, Host, Port, answer, last_day, take_back

app = typer.Typer(no_args_is_help=True, help="The workbench for people, and who may sign in.")


@app.command()
def serve(
    host: Host = LOOPBACK,
    port: Port = PORT,
    target: Target = None,
) -> None:
    """Show the pages, and answer as the read API, until it is stopped; a new publish is seen within a second or two."""
    from c360.app.server import create_workbench
    from lakehouse.settings import Settings

    answer(create_workbench(Settings.from_env(target=target)), host, port, "/", keep_alive=5)


@app.command()
def grant(
    name: Annotated[str, typer.Argument(help="Who signs in: a staff number, for instance S0012.")],
    role: Annotated[str, typer.Option(help="What they are, for instance branch_manager; see c360/access/roles.yml.")],
    branch: Annotated[str | None, typer.Option(help="Branch whose customers they see, such as B0001.")] = None,
    manager: Annotated[str | None, typer.Option(help="Relationship manager's number whose customers they see.")] = None,
    days: Days = YEAR,
) -> None:
    """Make a person's token and print it, this once: it is what they sign in with, and only its hash is kept."""
    from c360.access import add_person
    from c360.audit import note
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    token = add_person(settings.api_tokens, name, role, last_day(days), branch, manager)
    note(settings, "token", name, f"granted, as {role}, until {last_day(days)}")
    typer.echo(token)


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Who may no longer sign in.")]) -> None:
    """Take a token back; a session that is open ends at once."""
    take_back(name)
