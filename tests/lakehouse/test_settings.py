"""Settings: from the environment or by keyword, frozen, with secrets that no print-out shows."""

import errno
import os
import pickle
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from lakehouse.errors import Stop
from lakehouse.lake.secret import require_same_secret
from lakehouse.settings import VAR, Settings
from tests.conftest import SECRET, temporary_settings


def test_a_keyword_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("C360_TARGET", "postgres")
    monkeypatch.setenv("C360_LAKE", str(tmp_path / "lake"))
    assert Settings.from_env().target == "postgres"
    assert Settings.from_env(target=None).target == "postgres"
    assert Settings.from_env(target="duckdb").target == "duckdb"


def test_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings.from_env(lake="lake").lake == tmp_path / "lake"


def test_a_deployment_in_one_folder_has_every_file_of_its_own_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("C360_LEGAL_HOLDS", str(tmp_path / "kept" / "holds.csv"))
    monkeypatch.setenv("C360_LAKE", str(tmp_path / "another"))
    folder = tmp_path / "bank"
    settings = Settings.below(folder, landing=tmp_path / "landing", legal_holds=None)
    assert (settings.landing, settings.legal_holds) == (tmp_path / "landing", tmp_path / "kept" / "holds.csv")
    assert (settings.lake, settings.build) == (folder / "lake", folder / "build.duckdb")
    assert not [value for value in settings.environment().values() if value.startswith(str(VAR))]


def test_settings_do_not_change_and_travel_between_processes(tmp_path: Path) -> None:
    settings = temporary_settings(tmp_path)
    with pytest.raises(ValidationError):
        settings.target = "postgres"
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_the_environment_makes_equal_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = temporary_settings(tmp_path, postgres_dsn="postgresql://c360:hidden@host/db")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.from_env() == settings


def test_no_secret_is_printed(tmp_path: Path) -> None:
    secrets = {
        "token_secret": f"hidden: {SECRET}",
        "postgres_dsn": "postgresql://c360:hidden@host/db",
        "broker_url": "redis://c360:hidden@host/0",
    }
    settings = temporary_settings(tmp_path, **secrets)
    assert "hidden" not in f"{settings} {settings!r}"
    for name, value in secrets.items():
        assert getattr(settings, name).get_secret_value() == value


def test_a_secret_is_generated_once_beside_the_lake(tmp_path: Path) -> None:
    first = temporary_settings(tmp_path, token_secret="")
    file = tmp_path / "token.secret"
    assert first.token_secret == SecretStr(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert temporary_settings(tmp_path, token_secret="").token_secret == first.token_secret


def test_of_many_first_starts_one_makes_the_secret(tmp_path: Path) -> None:
    with ProcessPoolExecutor(8) as pool:
        made = set(pool.map(_secret_below, [tmp_path] * 64))
    assert made == {(tmp_path / "token.secret").read_text()}
    assert {path.name for path in tmp_path.iterdir()} == {"token.secret"}


def _secret_below(folder: Path) -> str:
    return temporary_settings(folder, token_secret="").token_secret.get_secret_value()


@pytest.mark.parametrize("text", ["", "0", "\n", "short of thirty-two characters"])
def test_a_secret_that_can_be_guessed_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "token.secret").write_text(text)
    with pytest.raises(Stop, match="C360_TOKEN_SECRET"):
        temporary_settings(tmp_path, token_secret="")
    if text.strip():
        with pytest.raises(Stop, match="at least 32 characters"):
            temporary_settings(tmp_path, token_secret=text)


@pytest.mark.faults("secret", store="lake")
def test_secrets_come_by_file_and_nothing_starts_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {
        "token_secret": "x" * 40,
        "postgres_dsn": "postgresql://u:hidden@h/d",
        "broker_url": "redis://:hidden@h/0",
    }
    for name, value in secrets.items():
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"C360_{name.upper()}_FILE", str(tmp_path / name))
    settings = Settings.from_env(lake=tmp_path / "lake")
    assert {name: getattr(settings, name).get_secret_value() for name in secrets} == secrets
    assert all(value not in repr(settings) + str(settings) for value in secrets.values())
    assert not (tmp_path / "token.secret").exists()
    monkeypatch.setenv("C360_TOKEN_SECRET", "y" * 40)
    assert Settings.from_env(lake=tmp_path / "lake").token_secret == SecretStr("y" * 40)
    monkeypatch.delenv("C360_TOKEN_SECRET")
    (tmp_path / "token_secret").write_text(" \n")
    with pytest.raises(Stop, match=r"\(C360_TOKEN_SECRET_FILE\) is empty"):
        Settings.from_env(lake=tmp_path / "lake")
    (tmp_path / "token_secret").unlink()
    with pytest.raises(Stop, match=r"\(C360_TOKEN_SECRET_FILE\) cannot be read"):
        Settings.from_env(lake=tmp_path / "lake")


def test_a_full_disk_leaves_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(Stop, match="No space left"):
            temporary_settings(tmp_path, token_secret="")
    assert not list(tmp_path.iterdir())
    assert len(_secret_below(tmp_path)) == 64


@pytest.mark.faults("secret", store="lake")
def test_another_secret_is_noticed(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    require_same_secret(temporary_settings(tmp_path, lake=lake))
    require_same_secret(temporary_settings(tmp_path, lake=lake))
    with pytest.raises(Stop, match="C360_TOKEN_SECRET"):
        require_same_secret(temporary_settings(tmp_path, lake=lake, token_secret=SECRET[::-1]))


@pytest.mark.parametrize("name", ["landing", "lake", "published", "build", "warehouse", "deployment"])
def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    wrong = "file" if name in ("landing", "lake", "published") else "folder"
    with pytest.raises(Stop, match=f"C360_{name.upper()}"):
        temporary_settings(tmp_path, **{name: tmp_path / wrong})
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("target", "oracle", "duckdb, postgres or spark"),
        ("memory_limit", "6 gigs", "6GB"),
        ("broker_url", "amqp://c360:hidden@host", "redis://host:port/0"),
        ("landing", "a\0b", "the folder in which"),
        ("lake", "a\0b", "the folder of the lake"),
        ("spark_master", "localhost", "spark://host:port"),
        ("lakes", "lake", "landing, lake, build"),
    ],
)
def test_a_wrong_value_names_the_setting_and_the_remedy(tmp_path: Path, name: str, value: str, remedy: str) -> None:
    with pytest.raises(Stop) as stopped:
        temporary_settings(tmp_path, **{name: value})
    assert name in str(stopped.value)
    assert remedy in str(stopped.value)
    assert "hidden" not in str(stopped.value)


@pytest.mark.parametrize("limit", ["6GB", "6 gb", "1.5GiB", "512M", "80%", "6 Gigabytes", "100 bytes", "none", "-1"])
def test_every_limit_that_duckdb_knows_is_taken(tmp_path: Path, limit: str) -> None:
    assert temporary_settings(tmp_path, memory_limit=limit).memory_limit == limit


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("name", ["two words", "it's", 'a "name"', "$HOME", "a;b", "#1 `x` *", "中文 目录"])
def test_a_shell_reads_back_every_setting(tmp_path: Path, shell: str, name: str) -> None:
    """Unquoted, a path with a blank set nothing, and the commands read the default store without a word."""
    settings = temporary_settings(tmp_path / name)
    file = tmp_path / "env"
    file.write_text(settings.shell(without=["C360_TARGET"]))
    read = f"set -eua; . {file}; exec env -0"
    done = subprocess.run([shell, "-c", read], capture_output=True, env={"PATH": os.environ["PATH"]}, check=True)
    lines = (line.decode().partition("=") for line in done.stdout.split(b"\0") if line.startswith(b"C360_"))
    assert {key: value for key, _, value in lines} == {
        key: value for key, value in settings.environment().items() if key != "C360_TARGET"
    }
