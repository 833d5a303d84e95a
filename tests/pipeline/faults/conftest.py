"""The small bank after its history, on either store, and what undisturbed runs of its days publish."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from itertools import count
from pathlib import Path

import pytest

import simulator
from c360 import pipeline
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import target_path
from tests.conftest import parsed
from tests.faults_table import Fault
from tests.pipeline.bank import copy_of, deployment_at
from tests.pipeline.conftest import hash_of, made_once
from tests.pipeline.faults.installation import (
    CUSTOMERS,
    D1,
    D3,
    LAST_OF_HISTORY,
    MONTHS,
    SEED,
    START,
    Content,
    Installation,
    content_of,
)
from tests.pipeline.faults.server import Server

Install = Callable[[], Installation]
DATABASE = "bank"  # of every installation: what dbt has parsed holds for a database of that name
BANK = hash_of(*(Path(__file__).with_name(name) for name in ("conftest.py", "installation.py", "server.py")))


def days_of(settings: Settings, known: dict[str, Content], last: date) -> None:
    """Run the days one by one, undisturbed, and note what readers see after each."""
    for day in pipeline.dates_to_run(settings, D1, last):
        pipeline.run(settings, day, day)
        known[str(day)] = content_of(settings)


@pytest.fixture(scope="session")
def small(shared: Path) -> Path:
    """The bank's files, the installation after its history, and ``known.json``; kept for as long as the code is."""

    def make(folder: Path) -> None:
        summary = simulator.generate(CUSTOMERS, MONTHS, SEED, folder, days=3, start=START)
        assert summary.last_date == D3
        base = parsed(deployment_at(folder / "base", folder / "landing"))
        pipeline.run(base, LAST_OF_HISTORY, LAST_OF_HISTORY)
        known = {str(LAST_OF_HISTORY): content_of(base)}
        days_of(copy_of(base, folder / "days"), known, D3)
        shutil.rmtree(folder / "days")
        (folder / "known.json").write_text(json.dumps(known))

    return made_once(shared / f"small-{BANK}", make)


@pytest.fixture(scope="session")
def known(small: Path) -> dict[str, Content]:
    """What readers see after the history and after each day."""
    return json.loads((small / "known.json").read_text())


@pytest.fixture
def on_duckdb(small: Path, known: dict[str, Content], fault: Fault, tmp_path: Path) -> Install:
    """Copies of the bank after its history on DuckDB."""
    base, numbers = deployment_at(small / "base", small / "landing"), count(1)

    def install() -> Installation:
        return Installation(copy_of(base, tmp_path / f"copy{next(numbers)}"), known, fault)

    return install


@pytest.fixture(scope="session")
def served(small: Path, shared: Path) -> Path:
    """The same on Postgres: ``lake`` and dbt's target, ``known.json``, and the server's files in ``pgdata``."""

    def make(folder: Path) -> None:
        with short_folder() as files, running(files) as server:
            base = folder / "base"
            shutil.copytree(small / "base" / "lake", base / "lake")
            settings = deployment_at(base, small / "landing", target="postgres", postgres_dsn=server.create(DATABASE))
            pipeline.run(settings, LAST_OF_HISTORY, LAST_OF_HISTORY)
            known = {str(LAST_OF_HISTORY): content_of(settings)}
            server.rename(DATABASE, "base")
            days_of(_copied(base, folder / "days", small / "landing", server.create(DATABASE, "base")), known, D1)
            (folder / "known.json").write_text(json.dumps(known))
            server.stop()
            subprocess.run(["cp", "-a", str(server.folder), str(folder / "pgdata")], check=True)
        shutil.rmtree(folder / "days")

    return made_once(shared / f"served-{BANK}", make)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short name: a server's socket lies in it."""
    folder = Path(tempfile.mkdtemp(prefix="c360-faults-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def running(folder: Path, files: Path | None = None) -> Iterator[Server]:
    """A server in this folder, with a copy of these files."""
    if files:
        subprocess.run(["cp", "-a", f"{files}/.", str(folder)], check=True)
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def server(served: Path) -> Iterator[Server]:
    """A server that these tests may kill, with the bank after its history in the database ``base``."""
    with short_folder() as folder, running(folder, served / "pgdata") as server:
        yield server


def _copied(base: Path, folder: Path, landing: Path, dsn: str) -> Settings:
    shutil.copytree(base / "lake", folder / "lake")
    copied = deployment_at(folder, landing, target="postgres", postgres_dsn=dsn)
    shutil.copytree(target_path(deployment_at(base, landing, target="postgres")), target_path(copied))
    return copied


@pytest.fixture
def install_on(small: Path, served: Path, fault: Fault, tmp_path: Path) -> Callable[[Server], Installation]:
    """Copies of the bank after its history on a server; a new one takes the place of the one before."""
    known, numbers = json.loads((served / "known.json").read_text()), count(1)

    def install(server: Server) -> Installation:
        dsn = server.create(DATABASE, "base")
        settings = _copied(served / "base", tmp_path / f"copy{next(numbers)}", small / "landing", dsn)
        return Installation(settings, known, fault)

    return install


@pytest.fixture
def on_postgres(install_on: Callable[[Server], Installation], server: Server) -> Install:
    """The same on the server that the tests share."""
    return partial(install_on, server)


@pytest.fixture(params=["duckdb", "postgres"])
def install(request: pytest.FixtureRequest) -> Install:
    """Copies of the bank on each store."""
    return request.getfixturevalue(f"on_{request.param}")
