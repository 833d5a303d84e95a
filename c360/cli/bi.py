"""The group ``bi``: dashboards for Apache Superset."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Target, console, progress, tell
from lakehouse.settings import PROJECT, VAR

bi = typer.Typer(no_args_is_help=True, help="Dashboards for Apache Superset, made from the metrics.")


@bi.command()
def serve(
    environment: Annotated[Path, typer.Option(help="Environment in which Superset is installed.")] = (
        PROJECT / ".venv-bi"
    ),
    folder: Annotated[Path, typer.Option(help="Where Superset keeps its database, secrets and log.")] = VAR / "bi",
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine alone.")] = 8361,
    store_file: Annotated[
        Path | None,
        typer.Option(envvar="C360_BI_STORE_FILE", help="Postgres: file with the URL of an account that may read."),
    ] = None,
    target: Target = None,
) -> None:
    """Start Superset, give it the dashboards of the store, and answer until it is stopped."""
    from c360.bi.serving import Place, serving
    from lakehouse.settings import Settings

    place = Place(environment.resolve(), folder.resolve(), port, store_file)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with serving(Settings.from_env(target=target), place, progress()) as imported:
            for path in imported.paths:
                console.print(f"{place.address}{path}", soft_wrap=True)
            tell("account reader, who changes nothing, password in {path}", path=place.reader_password_file)
            tell("account admin, password in {path}; Ctrl-C ends it", path=place.password_file)
            signal.pause()
    except KeyboardInterrupt:
        tell("ended")


@bi.command()
def assets(
    file: Annotated[Path, typer.Argument(help="The archive to write.")],
    target: Target = None,
) -> None:
    """Write what a Superset of your own can import: POST it to /api/v1/assets/import/, which replaces all."""
    from c360.bi.assets import make_assets
    from lakehouse.settings import Settings

    made = make_assets(Settings.from_env(target=target))
    file.write_bytes(made.bundle())
    charts = len(made.identifiers("charts"))
    tell("{count} dashboards and {charts} charts in {path}", count=len(made.slugs()), charts=charts, path=file)


@bi.command("import")
def import_(
    address: Annotated[str, typer.Option(help="Where Superset answers.")] = "http://127.0.0.1:8361",
    password_file: Annotated[Path, typer.Option(help="File with the password of its account admin.")] = (
        VAR / "bi" / "password"
    ),
    target: Target = None,
) -> None:
    """Give the dashboards to a Superset that runs: what is there is replaced, what is no more is removed."""
    from c360.bi.assets import make_assets
    from c360.bi.importing import Server
    from lakehouse.errors import Stop
    from lakehouse.settings import Settings

    made = make_assets(Settings.from_env(target=target))
    try:
        password = password_file.read_text().strip()
    except OSError as error:
        raise Stop(f"{password_file} cannot be read: {error.strerror}", "c360 bi serve makes it") from error
    with Server(address, password) as server:
        done = server.put(made)
    tell(
        "{count} dashboards imported; {replaced} assets replaced, {removed} removed",
        count=len(done.paths),
        replaced=done.replaced,
        removed=done.removed,
    )
