"""The small bank after its history, and what an undisturbed run of its day publishes."""

import json
import shutil
from pathlib import Path

import pytest

import simulator
from c360 import pipeline
from lakehouse.settings import Settings
from tests.conftest import parsed
from tests.faults_table import Fault
from tests.pipeline.bank import copy_of, deployment_at
from tests.pipeline.conftest import hash_of, made_once
from tests.pipeline.faults.installation import (
    CUSTOMERS,
    D1,
    LAST_OF_HISTORY,
    MONTHS,
    SEED,
    START,
    Content,
    Installation,
    content_of,
)

BANK = hash_of(*(Path(__file__).with_name(name) for name in ("conftest.py", "installation.py")))


def noted(settings: Settings) -> dict[str, Content]:
    """Run the first day, undisturbed, and note what readers see before and after."""
    known = {str(LAST_OF_HISTORY): content_of(settings)}
    pipeline.run(settings, D1, D1)
    return known | {str(D1): content_of(settings)}


@pytest.fixture(scope="session")
def small(shared: Path) -> Path:
    """The bank's files, the installation after its history, and ``known.json``; kept for as long as the code is."""

    def make(folder: Path) -> None:
        simulator.generate(CUSTOMERS, MONTHS, SEED, folder, days=3, start=START)
        base = parsed(deployment_at(folder / "base", folder / "landing"))
        pipeline.run(base, LAST_OF_HISTORY, LAST_OF_HISTORY)
        known = noted(copy_of(base, folder / "day"))
        shutil.rmtree(folder / "day")
        (folder / "known.json").write_text(json.dumps(known))

    return made_once(shared / f"small-{BANK}", make)


@pytest.fixture(scope="session")
def known(small: Path) -> dict[str, Content]:
    """What readers see after the history and after the day."""
    return json.loads((small / "known.json").read_text())


@pytest.fixture
def installation(small: Path, known: dict[str, Content], fault: Fault, tmp_path: Path) -> Installation:
    """A copy of the bank after its history on DuckDB."""
    return Installation(copy_of(deployment_at(small / "base", small / "landing"), tmp_path / "copy"), known, fault)
