"""The index of a demo leads to everything that it made, and says of what is missing why."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from demo import pages
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from tests.conftest import temporary_settings


@pytest.fixture
def demonstrated(reader: Path) -> Settings:
    """The bank in the folder of a reader of the docs."""
    return temporary_settings(reader / "var" / "demo")


def test_every_link_of_the_index_leads_to_a_page_of_the_demo(demonstrated: Settings) -> None:
    index = pages.write_index(demonstrated)
    links = [unquote(link) for link in re.findall('href="([^"]+)"', index.read_text(encoding="utf-8"))]
    assert {f"reports/{name}.html" for name in ("worklist", "customer", "handover", "survival")} <= set(links)
    assert any(link.startswith("lake/models/churn/") for link in links)
    for link in links:
        page = index.parent / link
        assert "<html" in page.read_text(encoding="utf-8").lower(), link
    assert not [link for link in links if link.startswith(("/", "http"))]  # the folder may move


def test_a_report_without_content_is_said_and_stops_nothing(
    demonstrated: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> None:
        raise Stop("there is no forecast yet")

    monkeypatch.setattr(pages.forecast, "read", nothing)
    text = pages.write_index(demonstrated).read_text(encoding="utf-8")
    assert "there is no forecast yet" in text
    assert "was not made" in text  # dbt's documentation, which the demo itself writes
