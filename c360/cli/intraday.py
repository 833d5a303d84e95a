"""The group ``c360 intraday``: events to readers within seconds."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from c360.cli.output import Json, Target, show, tell

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
    tell("{count} cycles", count=cycles)


@intraday.command("status")
def intraday_status(target: Target = None, json_: Json = False) -> None:
    """Events taken in, their delay until readers see them, and what waits; times are the bank's."""
    from lakehouse.contracts import load_deployment
    from lakehouse.intraday import read_status
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    found: dict[str, object] = dict(read_status(settings))
    if not json_ and isinstance(last := found["last_readable_at"], datetime):
        zone = load_deployment(settings.deployment).zone
        found["last_readable_at"] = (last if last.tzinfo else last.replace(tzinfo=UTC)).astimezone(zone)
    show(found, json_)
