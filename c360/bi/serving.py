"""Superset on this machine, from its own environment: prepared, started, and given the dashboards."""

import hashlib
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

import httpx

from c360.bi.assets import make_assets
from c360.bi.importing import Imported, Server
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings, write_secret

DEPLOY = PROJECT / "deploy" / "superset"
LOCK = PROJECT / "requirements" / "superset.lock"
STARTING, STOPPING = 300.0, 15.0  # seconds
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")  # of the environment of this process


@dataclass(frozen=True)
class Place:
    """Where Superset is, and where it keeps what it knows."""

    environment: Path  # with what `requirements/superset.lock` names
    folder: Path  # its database, secrets and log; for its owner alone
    port: int
    store_file: Path | None = None  # Postgres alone: a file with the URL of an account that may read the store

    @property
    def address(self) -> str:
        """On this machine alone."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def password_file(self) -> Path:
        """The password of the account ``admin``."""
        return self.folder / "password"

    @property
    def reader_password_file(self) -> Path:
        """The password of the account ``reader``, which sees dashboards and changes nothing."""
        return self.folder / "reader_password"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    def variables(self, settings: Settings) -> dict[str, str]:
        """The environment of Superset's processes: where the store is, and no secret of it but the reader's."""
        given = {name: os.environ[name] for name in KEPT if name in os.environ}
        given |= {
            "SUPERSET_HOME": str(self.folder),
            "SUPERSET_CONFIG_PATH": str(DEPLOY / "superset_config.py"),
            "C360_BI_BIND": f"127.0.0.1:{self.port}",
            "C360_BI_SECRET_KEY_FILE": str(self.folder / "secret_key"),
            "C360_BI_PASSWORD_FILE": str(self.password_file),
            "C360_BI_READER_PASSWORD_FILE": str(self.reader_password_file),
            "C360_WAREHOUSE": str(settings.warehouse),
            "C360_PUBLISHED": str(settings.published),
            "C360_MEMORY_LIMIT": settings.memory_limit,
        }
        if settings.target == "postgres":
            if not self.store_file:
                raise Stop(
                    "Superset needs an account of the store's Postgres",
                    "grant c360_reader to one, and name the file of its URL by --store-file",
                )
            given["C360_BI_STORE_FILE"] = str(self.store_file.resolve())
        return given


@contextmanager
def serving(settings: Settings, place: Place, progress: Callable[[str], None]) -> Generator[Imported]:
    """Superset with the dashboards of a store, for as long as the block lasts.

    Raises
    ------
    Stop
        If nothing is published, Superset is not installed, or it does not start.
    """
    if not (place.environment / "bin" / "gunicorn").exists():
        raise Stop(f"there is no Superset in {place.environment}", "make bi installs it")
    variables = place.variables(settings)
    progress("dashboards: made from the metrics and the descriptions of the store")
    assets = make_assets(settings)
    _make_secrets(place)
    _prepare(place, variables, progress)
    progress(f"Superset: starts, {place.log}")
    with _started(place, variables) as server:
        _wait(place, server)
        with Server(place.address, place.password_file.read_text()) as session:
            imported = session.put(assets)
        progress(f"dashboards: {len(imported.paths)} imported, {imported.removed} assets removed that are no more")
        yield imported
        if server.poll() is not None:
            raise Stop(f"Superset ended with exit code {server.returncode}", f"{place.log} says why")


def _make_secrets(place: Place) -> None:
    place.folder.mkdir(parents=True, exist_ok=True)
    place.folder.chmod(0o700)
    write_secret(place.folder / "secret_key", secrets.token_hex(32))
    write_secret(place.password_file, secrets.token_urlsafe(18))
    write_secret(place.reader_password_file, secrets.token_urlsafe(18))


def _prepare(place: Place, variables: dict[str, str], progress: Callable[[str], None]) -> None:
    """Superset's own database, once per version and passwords: it takes half a minute."""
    passwords = (place.password_file, place.reader_password_file)
    files = (LOCK, *passwords, DEPLOY / "prepare.py", DEPLOY / "superset_config.py")
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    prepared = place.folder / "prepared"
    if prepared.exists() and prepared.read_text() == state:
        return
    progress("Superset: prepares its own database, once")
    python = place.environment / "bin" / "python"
    done = subprocess.run(
        [python, DEPLOY / "prepare.py"], env=variables, cwd=place.folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Stop(f"Superset's database cannot be prepared: {done.stderr[-2000:]}")
    prepared.write_text(state)


@contextmanager
def _started(place: Place, variables: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    gunicorn = [place.environment / "bin" / "gunicorn", "--config", DEPLOY / "gunicorn.conf.py"]
    with place.log.open("wb") as log:
        server = subprocess.Popen(
            [*gunicorn, "superset.app:create_app()"],
            env=variables,
            cwd=place.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(STOPPING)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(place: Place, server: subprocess.Popen[bytes]) -> None:
    until = monotonic() + STARTING
    while monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"{place.address}/health", timeout=5).text == "OK" and server.poll() is None:
                return
        except httpx.HTTPError:
            pass
        sleep(0.5)
    said = place.log.read_text(errors="replace").splitlines()
    raise Stop(f"Superset does not start: {' | '.join(said[-5:])}", f"is port {place.port} taken? See {place.log}")
