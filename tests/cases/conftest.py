"""An installation without a bank, in the folder of the test."""

from pathlib import Path

import pytest

from tests.conftest import SECRET


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {"LANDING": "landing", "LAKE": "lake", "TOKEN_SECRET": SECRET}.items():
        monkeypatch.setenv(f"C360_{name}", value)
