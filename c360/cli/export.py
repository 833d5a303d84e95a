"""The group ``export``, copies of the store that stand alone, and ``relocate``, for a store that was moved."""

from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, Target, progress, show, tell, writing

export = typer.Typer(no_args_is_help=True, help="Copies of what is published that stand alone.")
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]


@export.command()
def snapshot(
    file: Annotated[Path | None, typer.Argument(dir_okay=False, help="DuckDB file to write.")] = None,
    parquet: Annotated[
        Path | None, typer.Option(file_okay=False, help="Folder to write, a Parquet file per table and a manifest.")
    ] = None,
    force: Force = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """All that is published, as one DuckDB file, or as Parquet files; only you may read them."""
    from c360.audit import note
    from lakehouse import warehouse
    from lakehouse.settings import Settings

    if (file is None) == (parquet is None):
        raise typer.BadParameter("give a file, or a folder with --parquet")
    settings = Settings.from_env(target=target)
    note(
        settings,
        "export",
        "snapshot",
        f"as {'one file' if file else 'Parquet files'}, {(file or parquet or Path()).name}",
    )
    with writing(file or parquet or Path()):
        if file:
            done = warehouse.export_snapshot(settings, file, force, progress())
        else:
            done = warehouse.export_parquet(settings, parquet or Path(), force, progress())
    show(done, json_)


def relocate() -> None:
    """Let a store that was moved or copied, with its folder of published versions, read the files at its new place."""
    from lakehouse import warehouse
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    files = warehouse.relocate(settings)
    tell(
        "{store} reads {count} files in {folder}",
        store=settings.warehouse,
        count=f"{files:,}",
        folder=settings.published,
    )
