"""The group ``c360 intraday``: events to readers within seconds."""

from typing import Annotated

import typer

from c360.cli.output import Json, Target, console, show

intraday = typer.Typer(no_args_is_help=True, help="The intraday loop: events to readers within seconds.")


@intraday.command("run")
def intraday_run(
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between cycles.")] = 5,
    seconds: Annotated[float | None, typer.Option(help="Seconds after which the loop ends; 0: one cycle.")] = None,
    target: Target = None,
) -> None:
    """Take in events from landing/intraday, and from C360_BROKER_URL if set, and show readers the day so far."""
    from lakehouse.intraday import run
    from lakehouse.settings import Settings

    cycles = run(Settings.from_env(target=target), every, seconds)
    console.print(f"{cycles} cycles")


@intraday.command("status")
def intraday_status(target: Target = None, json_: Json = False) -> None:
    """Events taken in, their delay until readers see them, and what waits."""
    from lakehouse.intraday import read_status
    from lakehouse.settings import Settings

    show(read_status(Settings.from_env(target=target)), json_)
