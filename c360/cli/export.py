"""The group ``export``, copies that stand alone of the store or of one person, and ``relocate``, for a moved store."""

from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, Lang, Target, progress, show, tell, writing
from lakehouse.errors import Stop

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


@export.command()
def person(
    key: Annotated[str, typer.Argument(help="Customer key, the key of one of their records, or a number, see --by.")],
    folder: Annotated[Path, typer.Argument(file_okay=False, help="Folder to write.")],
    by: Annotated[str, typer.Option(help="What KEY is: key, account, card, phone or document.")] = "key",
    token: Annotated[str, typer.Option(envvar="C360_TOKEN", show_envvar=True, help="Whose right it is.")] = "",
    force: Force = False,
    lang: Lang = "en",
    target: Target = None,
    json_: Json = False,
) -> None:
    """All that is kept about one person, to hand to them: a page, JSON, and its schema; only you may read them.

    It needs a token of a role with persons:export, and is noted under its name.
    """
    from c360 import person as of_person
    from c360.audit import note, note_views
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    customer_key = of_person.find(settings, key, by)
    try:
        grant = of_person.allowed(settings, token)
    except Stop:
        note_views(settings, "export person", [customer_key], kind="refusal")
        raise
    note(settings, "export", "person", customer_key, grant.name)
    note_views(settings, "export person", [customer_key], f"written to {folder.name}", grant)
    record = of_person.read(settings, customer_key)
    with writing(folder):
        of_person.write(settings, record, folder, lang, force)
    show({"customer": customer_key, "rows": record.row_count, "folder": str(folder)}, json_)


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
