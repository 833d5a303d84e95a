"""Commands about the token secret."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr

from c360.cli.output import tell

secret = typer.Typer(no_args_is_help=True, help="The key of the tokens and of the models' signatures.")


@secret.callback()
def _group() -> None:
    """A group, though it has one command."""


@secret.command()
def rotate(
    new_secret: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="File with the new secret; by default a random one is made."),
    ] = None,
) -> None:
    """Change the secret: write the lake's tokens and signatures anew, then lake and secret change at once.

    Stop all runs and the intraday loop first. After a kill, call it again.
    """
    from c360 import rotation
    from lakehouse.settings import Settings

    new = SecretStr(new_secret.read_text().strip()) if new_secret else None
    done = rotation.rotate(Settings.from_env(), new)
    tell("{count} files of the lake written anew, {rest} as they were", count=done.written_anew, rest=done.as_they_were)
    if not done.keeps_secret_file:
        tell("set C360_TOKEN_SECRET to the new secret before the next run")
    tell("the next run builds and publishes anew; until then readers have the old tokens")
