"""The console command: help everywhere, JSON where a program reads, and failures that say what to do."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse.settings import Settings
from tests.conftest import temporary_settings

ML = ("new", "evaluate", "train", "promote", "score", "explain", "monitor")
COMMANDS = (
    "simulate",
    "adapt berka",
    "adapt berka-loans",
    "run",
    "status",
    "doctor",
    "evaluate scores",
    "customer",
    "handover",
    "report survival",
    *(f"ml {name}" for name in ML),
)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty installation, as the environment describes it."""
    settings = temporary_settings(tmp_path)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    settings.landing.mkdir()
    return settings


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"])
    assert shown.exit_code == 0
    assert "Usage" in shown.output


def test_an_empty_installation_has_a_status(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["status", "--json"])
    told = json.loads(shown.output)
    assert (told["built"], told["published"], told["deliveries"]) == (None, None, {})


def test_a_customer_of_an_empty_installation_says_what_to_do(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["customer", "cif:C100000001"])
    assert shown.exit_code == 1
    assert "nothing is published yet" in shown.output


def test_the_doctor_names_what_is_missing(installation: Settings) -> None:
    assert CliRunner().invoke(app, ["doctor", "--json"]).exit_code == 0
    installation.landing.rmdir()
    shown = CliRunner().invoke(app, ["doctor", "--json"])
    assert shown.exit_code == 1
    assert json.loads(shown.output)["landing"] == f"{installation.landing}: make it, or set C360_LANDING"


def test_a_run_of_an_empty_landing_folder_says_so(installation: Settings) -> None:
    shown = CliRunner().invoke(app, ["run"])
    assert shown.exit_code == 1
    assert "no delivery" in shown.output
