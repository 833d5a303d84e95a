"""Without one of its secrets the deployed Airflow does not start."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from psycopg.conninfo import conninfo_to_dict

from lakehouse.settings import PROJECT
from tests.checks.test_deployment import values
from tests.conftest import create_database

pytestmark = pytest.mark.timeout(600)

PREPARE = PROJECT / "deploy" / "airflow" / "prepare.py"


@dataclass(frozen=True)
class Deployed:
    """Airflow as the files of the deployment set it up; paths and databases are of the test."""

    folder: Path
    dsn: str
    environment: dict[str, str]

    def run(self, *words: str, without: str = "") -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in self.environment.items() if name != without}
        return subprocess.run(words, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def given(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """What the containers are given: secrets, variables, and a database with nothing in it."""
    folder = tmp_path_factory.mktemp("deployed")
    (folder / "deploy").mkdir()
    shutil.copy(PROJECT / "deploy" / "new-secrets", folder / "deploy")
    subprocess.run([folder / "deploy" / "new-secrets"], check=True, capture_output=True)
    with create_database(postgres_server) as dsn:
        parts = conninfo_to_dict(dsn)
        (socket,) = parse_qs(urlsplit(postgres_server).query)["host"]

        def here(text: str) -> str:
            text = re.sub(
                r"//airflow:\w+@metadata:5432/airflow", f"//{parts['user']}@/{parts['dbname']}?host={socket}", text
            )
            text = text.replace("/run/secrets", str(folder / "deploy" / "secrets")).replace("/app/", f"{PROJECT}/")
            return re.sub(r"^/(data|airflow)(?=/|$)", rf"{folder}/\1", text)

        files = [PROJECT / "deploy" / name for name in ("airflow.env", "airflow-init.env")]
        variables = {"AIRFLOW_HOME": "/airflow", "HOME": str(folder)}
        for file in (*files, folder / "deploy" / "secrets" / "airflow.env"):
            variables |= values(file)
        environment = {name: here(value) for name, value in variables.items()}
        environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment["PYTHONPATH"] = f"{environment['PYTHONPATH']}:{PROJECT}"
        yield Deployed(folder, dsn, environment)


@pytest.mark.parametrize(
    "missing",
    [
        "C360_AIRFLOW_PASSWORD_FILE",
        "C360_AIRFLOW_VIEWER_PASSWORD_FILE",
        "AIRFLOW__CORE__FERNET_KEY",
        "AIRFLOW__API_AUTH__JWT_SECRET",
        "AIRFLOW__API__SECRET_KEY",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    ],
)
def test_without_a_secret_nothing_starts(given: Deployed, missing: str) -> None:
    done = given.run(sys.executable, str(PREPARE), without=missing)
    assert done.returncode and missing in done.stderr and "deploy/new-secrets" in done.stderr
