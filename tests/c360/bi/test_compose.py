"""The processes that docker-compose starts: each with its command and environment.

Containers cannot be started here; their commands can. Paths of the containers become folders of the test, and the two
databases are on one local Postgres, made by the scripts that make them there.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import parse_qs, urlsplit

import adbc_driver_postgresql.dbapi
import httpx
import psycopg
import pytest
import yaml
from psycopg import sql

from c360.api.resources import RESOURCES
from c360.app.preparing import statements
from c360.bi.assets import make_assets
from c360.bi.importing import Server
from lakehouse import warehouse
from lakehouse.settings import PROJECT, Settings
from tests.c360.bi.test_superset import bank, free_port  # noqa: F401  a fixture

pytestmark = [pytest.mark.bi, pytest.mark.timeout(1800)]

COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
READERS = {"superset-init", "superset", "dashboards", "api", "workbench"}
AIRFLOW = ("api-server", "scheduler", "dag-processor")
IMAGES = {"metadata", "warehouse"}  # Postgres: its scripts are run, its program is of this machine
PORTS = ("8080", "8360", "8361", "8362")
PROGRAMS = {"c360": PROJECT / ".venv" / "bin", "superset": PROJECT / ".venv-bi" / "bin"}
SECONDS = 300


def values(path: Path) -> dict[str, str]:
    """A file of variables, as docker-compose reads it."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


@dataclass(frozen=True)
class Host:
    """What stands for the containers."""

    folder: Path  # with deploy/secrets, as deploy/new-secrets makes it
    socket: str  # of the Postgres server
    ports: dict[str, int]

    def here(self, text: str) -> str:
        """Paths, hosts and ports of the containers in words of this machine."""
        text = re.sub(r"@(?:metadata|warehouse):5432/(\w+)", rf"@/\1?host={self.socket}", text)
        text = text.replace("/run/secrets", str(self.folder / "deploy" / "secrets")).replace("/app/", f"{PROJECT}/")
        text = text.replace("/data/", f"{self.folder}/").replace("0.0.0.0", "127.0.0.1")
        text = re.sub(r"^/(superset|airflow)(?=/|$)", rf"{self.folder}/\1", text)
        for port in PORTS:
            hosts = r"(superset|api-server|localhost|127\.0\.0\.1)"
            text = re.sub(rf"{hosts}:{port}", f"127.0.0.1:{self.ports[port]}", text)
        return str(self.ports[text]) if text in self.ports else text

    def environment(self, service: str) -> dict[str, str]:
        """The variables of a service, and no others of this process's."""
        given: dict[str, str] = {}
        for name in COMPOSE["services"][service]["env_file"]:
            given |= values(self.folder / name if "secrets" in name else PROJECT / name)
        kind = "superset" if "superset" in service else "c360"
        image = {"AIRFLOW_HOME": "/airflow", "HOME": str(self.folder)}
        here = {name: self.here(value) for name, value in (image | given).items()}
        modules = ":".join(filter(None, (here.get("PYTHONPATH"), str(PROJECT))))
        return here | {"PATH": f"{PROGRAMS[kind]}:{os.environ['PATH']}", "PYTHONPATH": modules}

    def command(self, service: str) -> list[str]:
        return [self.here(word) for word in COMPOSE["services"][service]["command"]]

    def folder_of(self, service: str) -> Path:
        """Airflow's images work where the project is."""
        return PROJECT if service.startswith(("airflow", *AIRFLOW)) else self.folder / "superset"

    def run(self, service: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(service),
            env=self.environment(service),
            cwd=self.folder_of(service),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(self, service: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{service}.log").open("wb")
        return subprocess.Popen(
            self.command(service), env=self.environment(service), cwd=self.folder_of(service), stdout=log, stderr=log
        )

    def is_healthy(self, service: str) -> bool:
        """By the service's own check."""
        words = COMPOSE["services"][service]["healthcheck"]["test"]
        check = [self.here(word) for word in words[1:]]
        return not subprocess.run(check, env=self.environment(service), capture_output=True, check=False).returncode


def make_databases(server: str, deploy: Path) -> None:
    """Run what the images run when their volumes are empty."""
    secrets = values(deploy / "secrets" / "warehouse.env") | values(deploy / "secrets" / "metadata.env")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("drop role c360_reader, c360_pii_reader")  # of the server's fixture: the script makes them
        connection.execute("create database warehouse")
        connection.execute(
            sql.SQL("create role airflow login password {}").format(sql.Literal(secrets["POSTGRES_PASSWORD"]))
        )
        connection.execute("create database airflow owner airflow")
        for script in ("metadata-init.sh", "warehouse-init.sh"):
            text = (PROJECT / "deploy" / script).read_text()
            given = {name: secrets[variable] for name, variable in re.findall(r'--set (\w+)="\$(\w+)"', text)}
            (statements,) = re.findall(r"<<'SQL'\n(.+?)\nSQL", text, re.DOTALL)
            for name, secret in given.items():
                statements = statements.replace(f":'{name}'", f"'{secret}'")
            for statement, end in re.findall(r"(.+?)(;|\\gexec)", statements, re.DOTALL):
                answer = connection.execute(sql.SQL(statement))
                for (made,) in answer.fetchall() if end == "\\gexec" else ():
                    connection.execute(sql.SQL(made))


def fill(bank: Settings, owner: str) -> None:  # noqa: F811
    """Give the warehouse what is asked for of the bank, with its comments and the grants that a publish makes."""
    questions = [*make_assets(bank).texts().values(), *statements(date(2026, 1, 1)).values()]
    asked = set(re.findall(r"\b(?:marts|features|scores|actions|ops)\.\w+", " ".join(questions)))
    asked |= {resource.table for resource in RESOURCES}
    asked |= {"ops.publications", "ops.published_partitions", "ops.column_levels"}
    with (
        warehouse.open_store(bank.warehouse) as store,
        warehouse.shown(bank) as shown,
        adbc_driver_postgresql.dbapi.connect(owner) as arrow,
        arrow.cursor() as cursor,
        psycopg.connect(owner, autocommit=True) as connection,
    ):
        tables = [name for name, column, _ in shown.comments if column is None and name in asked]
        for schema in sorted({name.partition(".")[0] for name in tables}):
            connection.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        for name in tables:
            schema, _, table = name.partition(".")
            cursor.adbc_ingest(table, store.execute(f"from {name}").to_arrow_reader(), "create", db_schema_name=schema)
        arrow.commit()
        for name, column, comment in (one for one in shown.comments if one[0] in asked):
            kind, parts = ("column", [*name.split("."), column]) if column else ("table", name.split("."))
            statement = f"comment on {kind} {{}} is {{}}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(*parts), sql.Literal(comment)))
        for schema in sorted({name.partition(".")[0] for name in tables}):
            for grant in (
                "grant usage on schema {} to c360_reader",
                "grant select on all tables in schema {} to c360_reader",
            ):
                connection.execute(sql.SQL(grant).format(sql.Identifier(schema)))


@pytest.fixture(scope="module")
def host(bank: Settings, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Host:  # noqa: F811
    folder = tmp_path_factory.mktemp("host")
    for name in ("deploy", "store", "landing", "superset", "airflow"):
        (folder / name).mkdir()
    shutil.copy(PROJECT / "deploy" / "new-secrets", folder / "deploy")
    subprocess.run([folder / "deploy" / "new-secrets"], check=True, capture_output=True)
    make_databases(postgres_server, folder / "deploy")
    (socket,) = parse_qs(urlsplit(postgres_server).query)["host"]
    made = Host(folder, socket, {port: free_port() for port in PORTS})
    for name in ("bi_metadata", "bi_store", "reader_dsn", "tasks_dsn"):
        secret = folder / "deploy" / "secrets" / name
        secret.write_text(made.here(secret.read_text()))
    password = values(folder / "deploy" / "secrets" / "warehouse.env")["C360_WAREHOUSE_PASSWORD"]
    fill(bank, made.here(f"postgresql://c360:{password}@warehouse:5432/warehouse"))
    return made


def wait(host: Host, service: str, process: subprocess.Popen[bytes]) -> None:
    until = monotonic() + SECONDS
    while monotonic() < until and process.poll() is None:
        if host.is_healthy(service):
            return
        sleep(1)
    pytest.fail(f"{service}: {(host.folder / f'{service}.log').read_text()[-3000:]}")


def test_services_have_limits_health_and_secrets_by_file() -> None:
    services = COMPOSE["services"]
    assert services.keys() == IMAGES | READERS | {"airflow-init", *AIRFLOW}  # all that the tests below start
    for name in READERS:
        service = services[name]
        assert {"mem_limit", "pids_limit", "command", "cap_drop"} <= service.keys()
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        if service["restart"] != "no":
            assert service["healthcheck"]["test"][0] == "CMD"
    assert all(one["file"].startswith("deploy/secrets/") for one in COMPOSE["secrets"].values())
    named = {secret for service in services.values() for secret in service.get("secrets", ())}
    assert named == COMPOSE["secrets"].keys()


def test_superset_and_the_api_start_as_docker_compose_starts_them(host: Host) -> None:
    made = host.run("superset-init")
    assert made.returncode == 0, made.stderr[-3000:]
    with host.start("superset") as superset, host.start("api") as api, host.start("workbench") as workbench:
        try:
            wait(host, "superset", superset)
            done = host.run("dashboards")
            assert done.returncode == 0, done.stderr[-3000:]
            assert "14 dashboards imported" in done.stdout
            assert_charts_answer(host)
            wait(host, "api", api)
            assert httpx.get(f"http://127.0.0.1:{host.ports['8360']}/api/v1/customers").status_code == 401
            wait(host, "workbench", workbench)
            assert_signs_in(host)
        finally:
            for process in (superset, api, workbench):
                process.terminate()


def assert_signs_in(host: Host) -> None:
    """With the token that the workbench's own container hands out."""
    command = ["c360", "app", "grant", "S0001", "--role", "auditor"]
    environment = host.environment("workbench")
    granted = subprocess.run(command, env=environment, cwd=host.folder, capture_output=True, text=True, check=True)
    address = f"http://127.0.0.1:{host.ports['8362']}"
    with httpx.Client(base_url=address, headers={"Origin": address}, timeout=60) as client:
        given = {"name": "S0001", "token": granted.stdout.strip()}
        assert client.post("/sign-in", data=given).status_code == 303
        assert client.get("/").status_code == 200


def test_airflow_starts_as_docker_compose_starts_it(host: Host) -> None:
    made = host.run("airflow-init")
    assert made.returncode == 0, made.stderr[-3000:]
    processes = {service: host.start(service) for service in AIRFLOW}
    try:
        for service, process in processes.items():
            wait(host, service, process)
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait(60)


def assert_charts_answer(host: Host) -> None:
    """Every dataset can be asked on Postgres, by the reader's account."""
    password = (host.folder / "deploy" / "secrets" / "bi_password").read_text()
    reader = (host.folder / "deploy" / "secrets" / "bi_reader_password").read_text()
    with Server(f"http://127.0.0.1:{host.ports['8361']}", reader, "reader") as server:
        assert len(server.numbers("dashboard")) == 14
    with Server(f"http://127.0.0.1:{host.ports['8361']}", password) as server:
        for number in server.numbers("dataset").values():
            described = server.ask("GET", f"dataset/{number}")["result"]
            names = [metric["metric_name"] for metric in described["metrics"]]
            question = {
                "datasource": {"id": number, "type": "table"},
                "queries": [{"metrics": names, "columns": [], "row_limit": 10}],
            }
            (answer,) = server.ask("POST", "chart/data", json=question)["result"]
            assert answer["error"] is None and answer["rowcount"] == 1, described["table_name"]
