"""The group ``api``: the server of the read API, and its tokens."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.table import Table

from c360.cli.output import Json, Target, console, show

api = typer.Typer(no_args_is_help=True, help="The read API for other systems, and who may ask it.")


@api.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; beyond this machine, put TLS before it.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8360,
    target: Target = None,
) -> None:
    """Answer from what is published, until it is stopped; a new publish is seen within a second or two.

    OpenAPI: /api/v1/openapi.json.
    """
    import uvicorn

    from c360.api.app import create_app
    from lakehouse.settings import Settings

    app = create_app(Settings.from_env(target=target))
    console.print(f"http://{host}:{port}/api/v1/openapi.json")
    uvicorn.run(
        app, host=host, port=port, log_level="warning", access_log=False, server_header=False, timeout_keep_alive=75
    )


@api.command()
def grant(
    name: Annotated[str, typer.Argument(help="The system that asks, for instance crm.")],
    scope: Annotated[list[str], typer.Option(help="What it may read, for instance customers:read; repeatable.")],
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days for which the token holds.")] = 365,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    from c360.access import add_token
    from lakehouse.settings import Settings

    last_day = datetime.now(UTC).date() + timedelta(days=days)
    token = add_token(Settings.from_env().api_tokens, name, tuple(dict.fromkeys(scope)), last_day)
    typer.echo(token)


@api.command()
def revoke(name: Annotated[str, typer.Argument(help="The system whose token no longer holds.")]) -> None:
    """Take a token back; a server that runs refuses it at once."""
    from c360.access import revoke_token
    from lakehouse.settings import Settings

    revoke_token(Settings.from_env().api_tokens, name)
    console.print(f"{name} has no token any more")


@api.command()
def tokens(json_: Json = False) -> None:
    """Who has a token, for what, and until when."""
    from c360.access import read_grants
    from lakehouse.settings import Settings

    grants = sorted(read_grants(Settings.from_env().api_tokens).values(), key=lambda grant: grant.name)

    def tables() -> list[Table]:
        table = Table("name", "may read", "last day")
        for one in grants:
            table.add_row(one.name, ", ".join(one.scopes) or f"workbench, as {one.role_name}", str(one.last_day))
        return [table]

    show({"tokens": grants}, json_, tables)
