"""Backups: only what is new is copied, what is damaged is found, and who was erased does not come back with one."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from lakehouse import erasure, lake, warehouse
from lakehouse.backup.restoring import restore
from lakehouse.backup.stages import Stopwatch
from lakehouse.backup.taking import back_up
from lakehouse.backup.vault import Vault
from lakehouse.errors import Stop
from lakehouse.identity import link
from lakehouse.lake.erasures import key_file, read_erasures
from lakehouse.lake.integrity import verify
from tests.conftest import temporary_settings
from tests.lakehouse.erasure.bank import DAY, FEEDS, KEY, SENTINELS, columns, fill, found
from tests.lakehouse.ingestion.bank import Bank

END = date(2026, 12, 31)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a person in every kind of file. To be copied."""
    bank = Bank(temporary_settings(tmp_path_factory.mktemp("made") / "bank"))
    fill(bank)
    for feed in FEEDS:
        bank.ingest(feed)
    link(bank.settings, lake.pin(bank.settings.lake, END))
    return bank.settings.lake.parent


@pytest.fixture
def bank(made: Path, tmp_path: Path) -> Bank:
    shutil.copytree(made, tmp_path / "bank")
    return Bank(temporary_settings(tmp_path / "bank"))


def _contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    names = ((path, path.relative_to(root)) for path in files)
    return {str(name): path.read_bytes() for path, name in names if not name.parts[0].startswith(".")}


def _erase(bank: Bank) -> None:
    erasure.erase_from_lake(bank.settings, f"cif:{KEY}", "S0042", "asked for it", lambda _: None)


def test_only_what_is_new_is_copied(bank: Bank, tmp_path: Path) -> None:
    first = back_up(bank.settings, tmp_path / "vault", with_landing=True)
    assert first.new_contents and first.number == 1
    second = back_up(bank.settings, tmp_path / "vault", with_landing=True)
    assert (second.number, second.new_contents, second.files) == (2, 0, first.files)
    bank.deliver("branches", [{"branch_code": "B1", "branch_name": "Main", "city": "Prague", "region": "CZ"}])
    bank.ingest("branches")
    assert (
        back_up(bank.settings, tmp_path / "vault", with_landing=True).new_contents == 4
    )  # two landed, two in the lake
    closed = [path for path in (tmp_path / "vault").rglob("*") if path.stat().st_mode & 0o077]
    assert closed == []


def test_it_comes_back_as_it_was(bank: Bank, tmp_path: Path) -> None:
    back_up(bank.settings, tmp_path / "vault", with_landing=True)
    watch = Stopwatch()
    done = restore(bank.settings, tmp_path / "vault", tmp_path / "back", watch=watch)
    assert _contents(done.settings.lake) == _contents(bank.settings.lake)
    copied, replayed, verified = watch.stages
    assert [one.step for one in watch.stages] == ["copy", "erasures", "verify"] and watch.seconds >= copied.seconds > 0
    assert copied.files == len(done.backup.files) > 0 and replayed.files == 0
    assert verified.rows == sum(one.rows_loaded for one in lake.read_outcomes(bank.settings.lake)) > 0
    assert _contents(done.settings.landing) == _contents(bank.settings.landing)
    assert (done.replayed, done.has_store) == ((), False)
    with pytest.raises(Stop, match="is not empty"):
        restore(bank.settings, tmp_path / "vault", tmp_path / "back")


@pytest.mark.parametrize("fault", ["damaged", "lost"])
def test_a_content_that_is_damaged_or_lost_is_found(bank: Bank, tmp_path: Path, fault: str) -> None:
    back_up(bank.settings, tmp_path / "vault")
    vault = Vault(tmp_path / "vault")
    assert vault.faults() == []
    kept = next(kept for kept in vault.backups()[0].files if kept.file.startswith("raw/customers"))
    content = vault.content(kept.sha256)
    if fault == "lost":
        content.unlink()
    else:
        content.write_bytes(content.read_bytes()[:-1] + b"x")
    (found_fault,) = vault.faults()
    assert found_fault.startswith(f"{fault}: lake/raw/customers/")
    with pytest.raises(Stop, match="cannot be restored"):
        restore(bank.settings, tmp_path / "vault", tmp_path / "back")


def test_an_erasure_reaches_every_backup(bank: Bank, tmp_path: Path) -> None:
    back_up(bank.settings, tmp_path / "vault", with_landing=True)
    assert {line.split(": ")[1] for line in found(bank.settings, folder=tmp_path / "vault")} == set(SENTINELS)
    bank.deliver("branches", [{"branch_code": "B1", "branch_name": "Main", "city": "Prague", "region": "CZ"}])
    back_up(bank.settings, tmp_path / "vault", with_landing=True)
    _erase(bank)
    assert found(bank.settings, folder=tmp_path) == []
    vault = Vault(tmp_path / "vault")
    assert len(vault.backups()) == 2 and vault.faults() == []
    done = restore(bank.settings, tmp_path / "vault", tmp_path / "back")
    assert done.replayed == ()
    assert found(bank.settings, folder=tmp_path) == []
    assert columns(done.settings, "transactions", "*") == columns(bank.settings, "transactions", "*")
    assert not verify(done.settings).changed


@pytest.mark.parametrize("is_copy", [False, True], ids=["moved", "a copy of one that is here"])
def test_what_was_away_when_somebody_was_erased_is_replayed(bank: Bank, tmp_path: Path, is_copy: bool) -> None:
    back_up(bank.settings, tmp_path / "vault", with_landing=True)
    shutil.copytree(tmp_path / "vault", tmp_path / "away")
    if not is_copy:
        shutil.rmtree(tmp_path / "vault")
    _erase(bank)
    (record,) = read_erasures(bank.settings.lake)
    assert record.not_reached == (() if is_copy else (str(tmp_path / "vault"),))
    done = restore(bank.settings, tmp_path / "away", tmp_path / "back")
    assert [one.erasure_id for one in done.replayed] == [record.erasure_id]
    assert found(bank.settings, folder=tmp_path) == []  # what was away is reached now, too
    assert columns(done.settings, "customers", "*") == columns(bank.settings, "customers", "*")
    assert not verify(done.settings).changed
    key_file(bank.settings.lake).unlink()
    with pytest.raises(Stop, match="could not be recognised"):
        restore(bank.settings, tmp_path / "away", tmp_path / "without key")


def test_a_date_that_no_backup_knows_is_refused(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(Stop, match="holds no backup"):
        restore(bank.settings, tmp_path / "vault", tmp_path / "back")
    back_up(bank.settings, tmp_path / "vault")
    with pytest.raises(Stop, match=f"knows {DAY}"):  # nothing was published
        restore(bank.settings, tmp_path / "vault", tmp_path / "back", date.fromisoformat(DAY))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    with pytest.raises(Stop, match="holds something else"):
        back_up(bank.settings, tmp_path / "other")


def test_a_database_in_which_an_installation_lives_is_left_alone(bank: Bank, tmp_path: Path, postgres_dsn: str) -> None:
    """Its readers would see the restored one: an older date, or a test of the backup."""
    living = temporary_settings(tmp_path / "bank", target="postgres", postgres_dsn=postgres_dsn)
    back_up(living, tmp_path / "vault")
    pin = lake.pin(living.lake, END)
    warehouse.write_state(living, warehouse.BuildState.of(pin, Path("identity/a.parquet"), "a project"))
    with pytest.raises(Stop, match="holds an installation"):
        restore(living, tmp_path / "vault", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_backup_waits_for_a_run(bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exclusive = warehouse.exclusive
    monkeypatch.setattr(warehouse, "exclusive", lambda settings: exclusive(settings, wait=0.1))
    with exclusive(bank.settings), pytest.raises(warehouse.EngineLocked):
        back_up(bank.settings, tmp_path / "vault")
