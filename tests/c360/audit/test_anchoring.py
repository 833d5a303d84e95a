"""Heads of the audit are kept elsewhere, and a lake whose audit was made anew does not fit them any more."""

import json
import shutil
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from typer.testing import CliRunner

from c360.audit import anchor, anchors_in, close, note
from c360.cli.main import app
from lakehouse.errors import Stop
from lakehouse.lake import audit
from lakehouse.settings import Settings
from tests.conftest import temporary_settings
from tests.loopback import LoopbackServer


def bank(folder: Path, place: str) -> Settings:
    settings = temporary_settings(folder, audit_anchor=place)
    note(settings, "export", "snapshot", "first")
    return settings


def test_a_folder_gets_a_file_for_each_head_and_keeps_it(tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere"
    settings = bank(tmp_path, str(kept))
    first = anchor(settings)
    assert anchor(settings) == first, "the same head again"
    note(settings, "export", "snapshot", "second")
    anchor(settings)
    assert [head.number for head in anchors_in(kept)] == [1, 2]
    assert audit.verify(settings.lake, anchors_in(kept)).is_whole
    shutil.rmtree(settings.lake / "audit")
    note(settings, "export", "snapshot", "first")
    with pytest.raises(Stop, match="anchors another audit"):
        anchor(settings)
    assert "anchored" in audit.verify(settings.lake, anchors_in(kept)).breaks[0].what


def test_the_command_names_what_is_broken_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = bank(tmp_path, "stdout")
    anchor(settings)
    log = tmp_path / "log"
    log.write_text(capsys.readouterr().out)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    run = CliRunner().invoke
    assert run(app, ["audit", "verify", "--anchor", str(log)]).exit_code == 0
    (path,) = (settings.lake / "audit" / "chain").glob("*.jsonl")
    path.write_text(path.read_text().replace("first", "other"))
    done = run(app, ["audit", "verify", "--json"])
    assert done.exit_code == 1
    assert json.loads(done.output)["breaks"] == [f"audit/chain/{path.name}: line 1 is not the line that was written"]


def test_an_address_gets_the_head_and_a_place_that_does_not_take_it_is_a_warning(tmp_path: Path) -> None:
    taken: list[dict] = []

    class Notary(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201 if len(taken) == 1 else 503)
            self.end_headers()

    with LoopbackServer(Notary, "/heads") as url:
        settings = bank(tmp_path, url)
        head = anchor(settings)
        assert (taken[0]["number"], taken[0]["hash"]) == (head.number, head.hash)
        (warning,) = close(settings, "run")
        assert "503" in warning


def test_no_place_stops_the_command_and_nothing_else(tmp_path: Path) -> None:
    settings = bank(tmp_path, "")
    assert close(settings, "run") == []
    with pytest.raises(Stop, match="C360_AUDIT_ANCHOR"):
        anchor(settings)


@pytest.mark.parametrize("text", ["", "nothing", '{"number": 1}', "[1]"])
def test_what_is_no_anchor_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "anchor").write_text(text)
    with pytest.raises(Stop, match="no anchor"):
        anchors_in(tmp_path / "anchor")
