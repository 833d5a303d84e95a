"""The group ``backup``, and ``restore``: copies of lake and store that can be verified, and what comes back of them."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, Target, day_of, group_of, labelled, progress, show, table_of, writing
from lakehouse.errors import Stop

backup = typer.Typer(cls=group_of("take"), no_args_is_help=True, help="Back up lake and store, and verify backups.")
Folder = Annotated[Path, typer.Argument(file_okay=False, help="Folder of backups.")]


@backup.command()
def take(
    folder: Folder,
    landing: Annotated[bool, typer.Option("--landing", help="The landing folder, too.")] = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Add a backup to a folder; only contents that it does not have yet are copied. Secrets are in none."""
    from lakehouse.backup.taking import back_up
    from lakehouse.settings import Settings

    with writing(folder):
        done = back_up(Settings.from_env(target=target), folder, landing)
    show(done, json_)


@backup.command()
def verify(folder: Folder, json_: Json = False) -> None:
    """Read every content of all backups, and hold it against its SHA-256; exit code 1 if one is lost or damaged."""
    from lakehouse.backup.vault import Vault

    vault = Vault(folder.resolve())
    backups, faults = vault.backups(), vault.faults()
    if not backups:
        raise Stop(f"{folder} holds no backup", "name a folder that c360 backup has written")
    contents = {kept.sha256 for each in backups for kept in each.files}
    show({"backups": len(backups), "contents": len(contents), "faults": faults}, json_)
    if faults:
        raise typer.Exit(1)


def restore(
    folder: Folder,
    into: Annotated[Path, typer.Option(file_okay=False, help="Empty folder, for the restored installation.")],
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Business date that readers see then; by default the newest."),
    ] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Restore a backup into another place, verified, without anybody who was erased since; says how long stages took.

    The store is restored, or, on Postgres or for another date than the backup's, built again from the lake; on Postgres
    C360_POSTGRES_DSN names an empty database for it.
    """
    from c360.recovery import recover
    from lakehouse.settings import Settings

    with writing(into):
        done = asdict(recover(Settings.from_env(target=target), folder, into, day_of(date), progress()))
    said = {name: value for name, value in done.items() if name != "stages"}
    show(done, json_, lambda: [*(labelled(key, value) for key, value in said.items()), table_of(done["stages"])])
