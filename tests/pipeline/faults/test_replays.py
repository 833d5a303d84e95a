"""Files that land again, or not at all: readers get the same, or what they had."""

import os
import shutil
from pathlib import Path

import pytest

from c360 import pipeline
from lakehouse import ingestion
from tests.faults_table import Fault
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, Installation

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]


@pytest.mark.faults("same_file")
def test_the_same_files_land_again(installation: Installation, fault: Fault) -> None:
    installation.recovers(D1)
    landed = [path for path in installation.settings.landing.rglob(f"*_{D1}_*") if path.is_file()]
    for path in landed:
        os.utime(path)
    fault.injections = len(landed)
    assert ingestion.ingest_feed(installation.settings, "transactions", D1) == []
    installation.recovers(D1)
    installation.sees(LAST_OF_HISTORY, D1)


@pytest.mark.faults("missing_days")
def test_a_missing_required_feed_stops_the_day(installation: Installation, tmp_path: Path) -> None:
    settings = installation.settings.model_copy(update={"landing": tmp_path / "landing"})
    shutil.copytree(installation.settings.landing, settings.landing)
    (manifest,) = (settings.landing / "balances").glob(f"*{D1}*.manifest.json")
    manifest.rename(tmp_path / manifest.name)
    with pytest.raises(pipeline.NotReady, match=f"{D1}: required feed balances"):
        pipeline.run(settings, D1, D1)
    installation.sees(LAST_OF_HISTORY, D1)
    (tmp_path / manifest.name).rename(manifest)
    pipeline.run(settings, D1, D1)
    installation.equals(D1)
