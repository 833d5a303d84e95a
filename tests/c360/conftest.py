"""What tests of the commands share."""

from pathlib import Path

import pytest

from lakehouse.settings import Settings
from tests.conftest import temporary_settings


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty installation, as the environment describes it."""
    settings = temporary_settings(tmp_path)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    settings.landing.mkdir()
    return settings
