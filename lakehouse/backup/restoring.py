"""Restore a backup into another place, verified file by file, and take out again who was erased since."""

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lakehouse import erasure, warehouse
from lakehouse.backup.stages import Stopwatch
from lakehouse.backup.vault import Backup, Vault
from lakehouse.errors import Stop
from lakehouse.lake import read_outcomes
from lakehouse.lake.copies import note_copy
from lakehouse.lake.erasures import FOLDER as ERASURES
from lakehouse.lake.erasures import Erasure, bring_key, read_erasures
from lakehouse.lake.integrity import verify
from lakehouse.settings import Settings, secret_file, write_secret


@dataclass(frozen=True)
class Restored:
    """A restored installation."""

    settings: Settings
    backup: Backup
    replayed: tuple[Erasure, ...]  # erasures that the backup was older than; each has to be finished
    has_store: bool  # readers can read; else the store is to be built


def restore(
    settings: Settings,
    folder: Path,
    into: Path,
    business_date: date | None = None,
    watch: Stopwatch | None = None,
) -> Restored:
    """Restore the newest backup, or the one with which a business date can be shown, below the folder ``into``.

    On Postgres the settings name the database in which it is built afterwards; it has to be an empty one.

    Its contents are held against their SHA-256, and then the lake's files against the records of deliveries. Everybody
    who was erased, by this installation's list or by any in the backups, is taken out.

    Raises
    ------
    Stop
        If ``into`` or the database holds something, there is no such backup, a content is lost or damaged, or a key is
        lacking.
    """
    watch = watch or Stopwatch()
    vault = Vault(folder.resolve())
    backup = _chosen(vault, business_date)
    if into.exists() and any(path.name not in ("token.secret", "erasure.key") for path in into.iterdir()):
        raise Stop(f"{into} is not empty", "name an empty folder")
    place = place_of(settings, into.resolve())
    _require_empty_database(place)
    roots = {"lake": place.lake, "landing": place.landing, "published": place.published, "warehouse": into.resolve()}
    with watch.stage("copy") as stage:
        for kept in backup.files:
            name = place.warehouse.name if kept.place == "warehouse" else kept.file
            vault.restore(kept, roots[kept.place] / name)
        stage.files = len(backup.files)
    _bring_keys(settings, place)
    with watch.stage("erasures") as stage:
        if erasures := _erasures(settings, vault):
            # it may have been away when somebody was erased: now it is reached
            note_copy(place.lake, "vaults", vault.folder)
        replayed = erasure.replay(place, erasures, lambda _: None)
        stage.files = sum(len(one.files) for one in replayed)
    with watch.stage("verify") as stage:
        verified = verify(place)
        stage.files = verified.intact
        stage.rows = sum(one.rows_loaded for one in read_outcomes(place.lake))
    if faults := (*verified.changed, *verified.lost):
        raise Stop(f"{place.lake / faults[0]} is not what its record says", "take another backup")
    shows = (
        place.target == "duckdb" and backup.has_store and not replayed and business_date in (None, backup.business_date)
    )
    if shows:
        with watch.stage("store") as stage:
            stage.files = warehouse.relocate(place)
            stage.rows = warehouse.published_rows(place)
    else:
        shutil.rmtree(place.published, ignore_errors=True)
        place.warehouse.unlink(missing_ok=True)
    return Restored(place, backup, tuple(replayed), shows)


def place_of(settings: Settings, into: Path) -> Settings:
    """The settings of an installation below a folder; what is no path stays."""
    return settings.model_copy(
        update={
            "landing": into / "landing",
            "lake": into / "lake",
            "build": into / "build.duckdb",
            "warehouse": into / "warehouse.duckdb",
            "published": into / "published",
            "outbox": into / "outbox",
        }
    )


def _require_empty_database(place: Settings) -> None:
    """A restore beside a living installation must not publish over what its readers see."""
    if place.target == "postgres" and (warehouse.read_state(place) or warehouse.published_date(place)):
        raise Stop(
            "the database of C360_POSTGRES_DSN holds an installation", "create an empty database, and name that instead"
        )


def _chosen(vault: Vault, business_date: date | None) -> Backup:
    """The newest backup, or the newest that shows the date, or else the first that knows it."""
    backups = vault.backups() if vault.folder.is_dir() else []
    if not backups:
        raise Stop(f"{vault.folder} holds no backup", "name a folder that c360 backup has written")
    if business_date is None:
        return backups[-1]
    shown = [backup for backup in backups if backup.business_date == business_date and backup.has_store]
    later = [backup for backup in backups if backup.business_date and backup.business_date >= business_date]
    if not later:
        raise Stop(f"no backup in {vault.folder} knows {business_date}", f"the last is of {backups[-1].business_date}")
    return shown[-1] if shown else later[0]


def _bring_keys(settings: Settings, place: Settings) -> None:
    """Keys are in no backup: this installation's go with the restored one, unless the bank has put some there."""
    here, there = secret_file(settings.lake), secret_file(place.lake)
    if here.exists() and not there.exists():
        write_secret(there, here.read_text())
    bring_key(settings.lake, place.lake)


def _erasures(settings: Settings, vault: Vault) -> list[Erasure]:
    """Everybody who was erased, as far as this installation or any backup knows."""
    known = {one.erasure_id: one for one in read_erasures(settings.lake)}
    for other in vault.backups():
        for kept in other.of("lake"):
            if kept.file.startswith(f"{ERASURES}/") and Path(kept.file).stem not in known:
                known[Path(kept.file).stem] = Erasure.from_json(vault.content(kept.sha256).read_text())
    return list(known.values())
