"""An installation without a bank, in the folder of the test; deliveries are of parties alone."""

from pathlib import Path

import pytest

from tests.conftest import SECRET

DEPLOYMENT = "{name: parties, currency: CNY, required: [customers], optional: [registrations]}"


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("parties.yml").write_text(DEPLOYMENT)
    settings = {"DEPLOYMENT": "parties.yml", "LANDING": "landing", "LAKE": "lake", "TOKEN_SECRET": SECRET}
    for name, value in settings.items():
        monkeypatch.setenv(f"C360_{name}", value)
