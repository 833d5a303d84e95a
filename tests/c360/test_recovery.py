"""`c360 restore` says how long each stage took, and what it went through."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse.settings import Settings
from tests.lakehouse.ingestion.bank import CUSTOMER, Bank


@pytest.fixture
def backed_up(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A backup of a bank with one delivery, which nobody has published."""
    bank = Bank(settings)
    bank.deliver("customers", [CUSTOMER, CUSTOMER | {"customer_no": "C2"}])
    bank.ingest("customers")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, ["backup", str(tmp_path / "vault")])
    assert done.exit_code == 0, done.output
    return tmp_path / "vault"


def test_every_stage_has_its_seconds_files_and_rows(backed_up: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["restore", str(backed_up), "--into", str(tmp_path / "back"), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert [stage["step"] for stage in said["stages"]] == ["copy", "erasures", "verify"]
    assert said["readable_seconds"] >= sum(stage["seconds"] for stage in said["stages"]) - 0.05
    copied, _, verified = said["stages"]
    assert copied["files"] == len([name for _, _, names in os.walk(tmp_path / "back" / "lake") for name in names])
    assert (verified["files"], verified["rows"]) == (1, 2)


def test_people_get_a_table(backed_up: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["restore", str(backed_up), "--into", str(tmp_path / "back")])
    assert done.exit_code == 0, done.output
    for word in ("Step", "Seconds", "files", "rows", "copy", "verify"):
        assert word in done.stdout
