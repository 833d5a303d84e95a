"""Who gets into the deployed Airflow: its api-server, as the deployment's own files start it, on a real Postgres."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from lakehouse.settings import PROJECT
from tests.c360.alerts.servers import free_port
from tests.checks.test_deployment import values
from tests.conftest import create_database

full = pytest.mark.full  # what needs a database and a server: over a minute of a processor
pytestmark = pytest.mark.timeout(600)

PREPARE = PROJECT / "deploy" / "airflow" / "prepare.py"
DAG = "score_customers"  # no scheduler runs here: what is started only stands in the database
SECONDS = 180  # until the server answers


@dataclass(frozen=True)
class Deployed:
    """Airflow as the files of the deployment set it up; paths and databases are of the test."""

    folder: Path
    dsn: str
    environment: dict[str, str]

    def run(self, *words: str, without: str = "") -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in self.environment.items() if name != without}
        return subprocess.run(words, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)

    def secret(self, name: str) -> str:
        return (self.folder / "deploy" / "secrets" / name).read_text().strip()


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


@pytest.fixture(scope="module")
def deployed(given: Deployed) -> Deployed:
    """With the database made, the accounts among what is in it, and the DAGs as Airflow reads them."""
    for words in ((sys.executable, str(PREPARE)), ("airflow", "dags", "reserialize")):
        done = given.run(*words)
        assert done.returncode == 0, done.stderr[-3000:]
    return given


@pytest.fixture(scope="module")
def address(deployed: Deployed) -> Iterator[str]:
    """Of the api-server."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = ["airflow", "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (deployed.folder / "api-server.log").open("wb") as log:
        server = subprocess.Popen(
            command, env=deployed.environment, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until = monotonic() + SECONDS
        while not _answers(url):
            assert server.poll() is None and monotonic() < until, (deployed.folder / "api-server.log").read_text()[
                -3000:
            ]
            sleep(1)
        yield url
    finally:
        os.killpg(server.pid, 15)
        server.wait(60)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/monitor/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def log_in(address: str, name: str, password: str) -> httpx.Response:
    return httpx.post(f"{address}/auth/token", json={"username": name, "password": password}, timeout=60)


def as_user(address: str, name: str, password: str) -> httpx.Client:
    token = log_in(address, name, password).json()["access_token"]
    return httpx.Client(base_url=f"{address}/api/v2", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def start(client: httpx.Client) -> int:
    return client.post(f"/dags/{DAG}/dagRuns", json={"logical_date": None}).status_code


@full
def test_nobody_gets_in_without_an_account(deployed: Deployed, address: str) -> None:
    assert httpx.get(f"{address}/api/v2/dags", timeout=60).status_code == 401
    assert (
        httpx.post(f"{address}/api/v2/dags/{DAG}/dagRuns", json={"logical_date": None}, timeout=60).status_code == 401
    )
    for name, password in (
        ("stranger", "x" * 64),
        ("admin", "admin"),
        ("admin", deployed.secret("airflow_viewer_password")),
    ):
        refused = log_in(address, name, password)
        assert refused.status_code == 401, (name, refused.text)


@full
def test_a_viewer_sees_runs_and_starts_none(deployed: Deployed, address: str) -> None:
    with as_user(address, "viewer", deployed.secret("airflow_viewer_password")) as viewer:
        assert DAG in {dag["dag_id"] for dag in viewer.get("/dags", params={"limit": 100}).json()["dags"]}
        assert viewer.get(f"/dags/{DAG}/dagRuns").status_code == 200
        assert start(viewer) == 403
        assert viewer.patch(f"/dags/{DAG}", json={"is_paused": False}).status_code == 403
        assert viewer.get("/connections").status_code == 403
        assert viewer.get(f"/dags/{DAG}/dagRuns").json()["total_entries"] == 0


@full
def test_an_administrator_starts_a_run(deployed: Deployed, address: str) -> None:
    with as_user(address, "admin", deployed.secret("airflow_password")) as admin:
        assert start(admin) == 200


@full
def test_the_database_has_hashes_and_a_new_password_takes_the_place_of_the_old(deployed: Deployed) -> None:
    def kept() -> dict[str, str]:
        with psycopg.connect(deployed.dsn) as connection:
            return dict(connection.execute("select username, password from ab_user").fetchall())

    before = kept()
    assert before.keys() == {"admin", "viewer"}
    for name, secret in (("admin", "airflow_password"), ("viewer", "airflow_viewer_password")):
        assert before[name].startswith("scrypt:") and deployed.secret(secret) not in before[name]
    path = deployed.folder / "deploy" / "secrets" / "airflow_viewer_password"
    path.write_text("a new one, of thirty-two characters and more")  # what is below logs in as nobody
    assert deployed.run(sys.executable, str(PREPARE)).returncode == 0
    after = kept()
    assert after.keys() == before.keys() and after["viewer"] != before["viewer"]


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
