"""The group ``api``: the server of the read API, and its tokens."""

from typing import Annotated

import typer
from rich.table import Table

from c360.cli.output import Json, Target, show, spoken
from c360.cli.serving import LOOPBACK, PORT, YEAR, Days, Host, Port, answer, last_day, take_back

api = typer.Typer(no_args_is_help=True, help="The read API for other systems, and who may ask it.")


@api.command()
def serve(
    host: Host = LOOPBACK,
    port: Port = PORT,
    target: Target = None,
) -> None:
    """Answer from what is published, until it is stopped; a new publish is seen within a second or two.

    OpenAPI: /api/v1/openapi.json.
    """
    from c360.api.app import create_app
    from lakehouse.settings import Settings

    answer(create_app(Settings.from_env(target=target)), host, port, "/api/v1/openapi.json", keep_alive=75)


@api.command()
def grant(
    name: Annotated[str, typer.Argument(help="The system that asks, for instance crm.")],
    scope: Annotated[list[str], typer.Option(help="What it may read, for instance customers:read; repeatable.")],
    days: Days = YEAR,
) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    from c360.access import add_token
    from c360.audit import note
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    token = add_token(settings.api_tokens, name, tuple(dict.fromkeys(scope)), last_day(days))
    note(settings, "token", name, f"granted, for {', '.join(dict.fromkeys(scope))}, until {last_day(days)}")
    typer.echo(token)


@api.command()
def revoke(name: Annotated[str, typer.Argument(help="The system whose token no longer holds.")]) -> None:
    """Take a token back; a server that runs refuses it at once."""
    take_back(name)


@api.command()
def tokens(json_: Json = False) -> None:
    """Who has a token, for what, and until when."""
    from c360.access import read_grants
    from lakehouse.settings import Settings

    grants = sorted(read_grants(Settings.from_env().api_tokens).values(), key=lambda grant: grant.name)

    def tables() -> list[Table]:
        say, table = spoken(), Table("name", "may read", "last day")
        for one in grants:
            table.add_row(
                one.name,
                ", ".join(one.scopes) or say("workbench, as {role}", role=say.code(one.role_name)),
                str(one.last_day),
            )
        return [table]

    show({"tokens": grants}, json_, tables)
