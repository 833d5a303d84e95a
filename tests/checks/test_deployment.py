"""Who gets what in the served deployment, as its files say it; ``tests/c360/bi/test_compose.py`` starts it."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from demo.airflow import configuration
from lakehouse.settings import PROJECT

COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
WITHOUT_LAKE = ("airflow-init", "api-server", "dag-processor", "superset", "superset-init", "dashboards")
OF_THE_SYSTEM = {"tasks_dsn", "reader_dsn", "token_secret"}


def values(path: Path) -> dict[str, str]:
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``deploy/new-secrets`` makes."""
    folder = tmp_path_factory.mktemp("deploy")
    shutil.copy(PROJECT / "deploy" / "new-secrets", folder)
    subprocess.run([folder / "new-secrets"], check=True, capture_output=True)
    return folder / "secrets"


def environment(service: str, secrets: Path) -> dict[str, str]:
    given: dict[str, str] = {}
    for name in SERVICES[service].get("env_file", ()):
        given |= values(secrets / Path(name).name if "secrets" in name else PROJECT / name)
    return given


def test_every_port_is_on_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert len(ports) >= 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("service", WITHOUT_LAKE)
def test_what_does_not_need_the_lake_has_neither_it_nor_its_secrets(service: str, secrets: Path) -> None:
    volumes = SERVICES[service].get("volumes", ())
    assert not [volume for volume in volumes if "lake" in volume or "/data/" in volume]
    held = set(SERVICES[service].get("secrets", ())) & OF_THE_SYSTEM
    assert held <= ({"reader_dsn"} if service == "dashboards" else set())
    text = "\n".join(environment(service, secrets).values())
    for name in OF_THE_SYSTEM:
        assert (secrets / name).read_text().strip() not in text
    warehouse = values(secrets / "warehouse.env")
    assert warehouse["C360_WAREHOUSE_PASSWORD"] not in text and warehouse["C360_READER_PASSWORD"] not in text


def test_who_runs_tasks_and_who_finds_customers_by_number_have_the_token_secret_by_file(secrets: Path) -> None:
    assert [name for name, service in SERVICES.items() if "token_secret" in service.get("secrets", ())] == [
        "scheduler",
        "workbench",
    ]
    for name in SERVICES:
        given = environment(name, secrets)
        assert not {"C360_POSTGRES_DSN", "C360_TOKEN_SECRET", "C360_BROKER_URL"} & given.keys()
        for variable, path in given.items():
            if variable.startswith("C360_") and variable.endswith("_FILE"):
                assert Path(path).name in SERVICES[name]["secrets"], (name, variable)
    for name, secret in COMPOSE["secrets"].items():
        assert (secrets / Path(secret["file"]).name).read_text().strip(), name
    assert secrets.stat().st_mode & 0o077 == 0


IMAGES = values(PROJECT / ".env")


def test_every_image_that_is_not_built_here_is_named_in_one_file() -> None:
    dockerfiles = [PROJECT / "Dockerfile", PROJECT / "deploy" / "superset" / "Dockerfile"]
    bases = {line for path in dockerfiles for line in path.read_text().splitlines() if line.startswith("FROM ")}
    assert {line.split()[1] for line in bases} == {"${PYTHON_IMAGE}"}
    named = {service["image"] for service in SERVICES.values()}
    assert named == {"c360:0.1.0", "c360-superset:0.1.0", "${POSTGRES_IMAGE:?}"}
    built = [service["build"]["args"] for service in SERVICES.values() if "build" in service]
    assert all(args == {"PYTHON_IMAGE": "${PYTHON_IMAGE:?}"} for args in built)
    assert IMAGES.keys() == {"PYTHON_IMAGE", "POSTGRES_IMAGE"}


@pytest.mark.parametrize("answer", ["sha256:" + 64 * "a", "unknown"])
def test_the_script_writes_the_digest_that_the_registry_shows_and_nothing_without_one(
    tmp_path: Path, answer: str
) -> None:
    """There is no registry here: a program called docker answers, with what it was asked."""
    (tmp_path / "deploy").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(PROJECT / "deploy" / "pin-images", tmp_path / "deploy")
    before = (PROJECT / ".env").read_text().replace("bookworm\n", f"bookworm@sha256:{64 * 'b'}\n")
    (tmp_path / ".env").write_text(before)
    docker = tmp_path / "bin" / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\necho {answer}\n')
    docker.chmod(0o755)
    done = subprocess.run(
        [tmp_path / "deploy" / "pin-images"],
        env={"PATH": f"{docker.parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    if answer == "unknown":
        assert done.returncode and (tmp_path / ".env").read_text() == before
        return
    assert done.returncode == 0, done.stderr
    assert values(tmp_path / ".env") == {name: f"{image}@{answer}" for name, image in IMAGES.items()}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == [
        f"buildx imagetools inspect {image} --format {{{{.Manifest.Digest}}}}" for image in IMAGES.values()
    ]
    assert list(tmp_path.glob(".env.*")) == []


def test_a_login_that_is_open_to_all_is_the_demonstrations_and_on_loopback(tmp_path: Path, secrets: Path) -> None:
    opened = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS"
    demonstration = configuration(tmp_path, 8080)
    assert demonstration[opened] == "True"
    assert demonstration["AIRFLOW__API__HOST"] == "127.0.0.1"
    for name in ("api-server", "scheduler", "dag-processor", "airflow-init"):
        given = environment(name, secrets)
        assert opened not in given
        assert given["AIRFLOW__CORE__AUTH_MANAGER"].endswith("FabAuthManager")
        assert not [variable for variable in given if "SIMPLE_AUTH" in variable or "AUTH_ROLE_PUBLIC" in variable]
