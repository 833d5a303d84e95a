"""The group ``app``: the workbench, and who may sign in."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from c360.cli.output import Target, console

app = typer.Typer(no_args_is_help=True, help="The workbench for people, and who may sign in.")


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this machine, put TLS before it.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8360,
    target: Target = None,
) -> None:
    """Show the pages, and answer as the read API, until it is stopped; a new publish is seen within a second or two."""
    import uvicorn

    from c360.app.server import create_workbench
    from lakehouse.settings import Settings

    served = create_workbench(Settings.from_env(target=target))
    console.print(f"http://{host}:{port}/")
    uvicorn.run(served, host=host, port=port, log_level="warning", access_log=False, server_header=False)


@app.command()
def grant(
    name: Annotated[str, typer.Argument(help="Who signs in: a staff number, for instance S0012.")],
    role: Annotated[str, typer.Option(help="What they are, for instance branch_manager; see c360/access/roles.yml.")],
    branch: Annotated[str | None, typer.Option(help="Branch whose customers they see, such as B0001.")] = None,
    manager: Annotated[str | None, typer.Option(help="Relationship manager's number whose customers they see.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days for which the token holds.")] = 365,
) -> None:
    """Make a person's token and print it, this once: it is what they sign in with, and only its hash is kept."""
    from c360.access import add_person
    from lakehouse.settings import Settings

    last_day = datetime.now(UTC).date() + timedelta(days=days)
    typer.echo(add_person(Settings.from_env().api_tokens, name, role, last_day, branch, manager))


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Who may no longer sign in.")]) -> None:
    """Take a token back; a session that is open ends at once."""
    from c360.access import revoke_token
    from lakehouse.settings import Settings

    revoke_token(Settings.from_env().api_tokens, name)
    console.print(f"{name} has no token any more")
