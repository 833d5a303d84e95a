"""What the groups ``api`` and ``app`` share: a server that answers until it is stopped, and tokens with a last day."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from c360.cli.output import console, tell

if TYPE_CHECKING:
    from fastapi import FastAPI

Host = Annotated[str, typer.Option(help="Address to listen on; beyond this machine, put TLS before it.")]
Port = Annotated[int, typer.Option(help="Port to listen on.")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="Days for which the token holds.")]
LOOPBACK, PORT, YEAR = "127.0.0.1", 8360, 365


def answer(app: "FastAPI", host: str, port: int, path: str, keep_alive: int) -> None:
    """Print the address and answer until the process is stopped.

    Parameters
    ----------
    keep_alive : int
        Seconds after which a connection without a request is closed.
    """
    import uvicorn
    from uvicorn.config import LOGGING_CONFIG

    from c360.telemetry import logs

    console.print(f"http://{host}:{port}{path}")
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        log_config=None if logs.is_json() else LOGGING_CONFIG,
        server_header=False,
        timeout_keep_alive=keep_alive,
    )


def last_day(days: int) -> date:
    """The last day of a token that is made now."""
    return datetime.now(UTC).date() + timedelta(days=days)


def take_back(name: str) -> None:
    """Take back the token of a system or person."""
    from c360.access import revoke_token
    from c360.audit import note
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    revoke_token(settings.api_tokens, name)
    note(settings, "token", name, "taken back")
    tell("{name} has no token any more", name=name)
