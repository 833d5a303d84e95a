"""A simulated bank of which only the feeds with party records are ingested, into a lake for this folder."""

import shutil
from datetime import date
from pathlib import Path

import pytest

import simulator
from lakehouse import ingestion, lake
from lakehouse.identity.link import link
from lakehouse.settings import Settings
from tests.conftest import temporary_settings

FEEDS = ("customers", "registrations", "social_leads", "cards")
INITIAL = date(2024, 2, 29)
DAYS = tuple(date(2024, 3, day) for day in range(1, 7))


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two months and six days, in the lake; the months are linked, so there is a model. To be copied."""
    folder = tmp_path_factory.mktemp("parties")
    simulator.generate(700, 2, 5, folder, days=len(DAYS), only=FEEDS)
    settings = temporary_settings(folder)
    for feed in FEEDS:
        ingestion.ingest_feed(settings, feed, DAYS[-1])
    link(settings, lake.pin(settings.lake, INITIAL))
    return settings


@pytest.fixture
def bank(simulated: Settings, tmp_path: Path) -> Settings:
    """A bank for one test alone."""
    shutil.copytree(simulated.lake, tmp_path / "lake")
    shutil.copytree(simulated.landing, tmp_path / "landing")
    return temporary_settings(tmp_path)
