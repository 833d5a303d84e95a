"""TLS of the connection string holds for all three ways to Postgres: psycopg, ADBC and dbt; on a server that has it.

The server is Debian's (``postgresql``); the one of PyPI, which other tests use, is built without TLS.
"""

import os
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse import dbt
from lakehouse.warehouse.dbt import DbtFailed
from lakehouse.warehouse.engines import postgres
from tests.conftest import temporary_settings

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
pytestmark = pytest.mark.skipif(not SERVERS, reason="apt-get install postgresql: no server with TLS is on this machine")
TO_DBT = Path(__file__).parent / "connecting"  # a project of one model: which cipher its own connection has


@dataclass(frozen=True)
class Signer:
    """A certificate authority of the test."""

    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def sign(self, name: str, folder: Path, file: str) -> tuple[Path, Path]:
        """A certificate for a host or a user, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = built(name, self.name, key, is_authority=False).sign(self.key, hashes.SHA256())
        return written(folder / f"{file}.crt", made), written(folder / f"{file}.key", key)


def built(name: str, signer: str, key: ec.EllipticCurvePrivateKey, is_authority: bool) -> x509.CertificateBuilder:
    named = {who: x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)]) for who in (name, signer)}
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named[name])
        .issuer_name(named[signer])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )


def authority(name: str) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    return Signer(name, key, built(name, name, key, is_authority=True).sign(key, hashes.SHA256()))


def written(path: Path, what: x509.Certificate | ec.EllipticCurvePrivateKey) -> Path:
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    content = (
        what.public_bytes(pem)
        if isinstance(what, x509.Certificate)
        else what.private_bytes(pem, private, serialization.NoEncryption())
    )
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@dataclass(frozen=True)
class Server:
    """A server that takes connections over TLS alone, from who has a certificate of the right signer."""

    port: int
    folder: Path  # with right.crt, wrong.crt, user.crt, user.key, stranger.crt, stranger.key

    def dsn(self, **stated: str) -> str:
        files = {
            name: str(self.folder / value) for name, value in stated.items() if name.startswith("ssl") and "." in value
        }
        known = {"host": "localhost", "port": str(self.port), "user": "c360", "dbname": "postgres"}
        return psycopg.conninfo.make_conninfo("", **(known | stated | files))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    programs, owner = SERVERS[-1].parent, "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="c360-tls-", ignore_cleanup_errors=True) as name, socket.socket() as probe:
        folder = Path(name)
        right, wrong = authority("right"), authority("wrong")
        written(folder / "right.crt", right.certificate)
        written(folder / "wrong.crt", wrong.certificate)
        right.sign("localhost", folder, "server")
        right.sign("c360", folder, "user")
        wrong.sign("c360", folder, "stranger")
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        if owner:
            for path in (folder, *folder.iterdir()):
                subprocess.run(["chown", "postgres", str(path)], check=True)
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", str(data), *arguments]
            subprocess.run(command, check=True, user=owner, cwd=folder, stdout=subprocess.DEVNULL)

        run("initdb", "--auth=trust", "--username=c360", "--no-sync")
        hba = "local all all trust\nhostssl all all 127.0.0.1/32 cert\nhostssl all all ::1/128 cert\n"
        (data / "pg_hba.conf").write_text(hba)
        with (data / "postgresql.conf").open("a") as settings:
            files = {"cert": "server.crt", "key": "server.key", "ca": "right.crt"}
            settings.writelines(f"ssl_{kind}_file = '{folder / file}'\n" for kind, file in files.items())
            settings.write(f"ssl = on\nport = {port}\nunix_socket_directories = '{folder}'\nfsync = off\n")
        run("pg_ctl", "-w", "-l", str(folder / "log"), "start")
        try:
            yield Server(port, folder)
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


def settings_of(folder: Path, server: Server, **stated: str) -> Settings:
    return temporary_settings(folder, target="postgres", postgres_dsn=server.dsn(**stated))


def by_psycopg(settings: Settings) -> bool:
    with postgres.connect(settings) as connection:
        (row,) = connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchall()
    return row[0]


def by_adbc(settings: Settings) -> bool:
    (row,) = warehouse.query(settings, "select ssl from pg_stat_ssl where pid = pg_backend_pid()").to_pylist()
    return row["ssl"]


def by_dbt(settings: Settings) -> bool:
    dbt.run_dbt(settings, "secured", {})
    (row,) = warehouse.query(settings, "select is_secured from build_marts.secured").to_pylist()
    return row["is_secured"]


WAYS: tuple[Callable[[Settings], bool], ...] = (by_psycopg, by_adbc, by_dbt)
OWN = {"sslcert": "user.crt", "sslkey": "user.key"}


@pytest.fixture(autouse=True)
def small_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt, "DBT_PROJECT", TO_DBT)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_connection_is_as_the_string_says(way: Callable[[Settings], bool], server: Server, tmp_path: Path) -> None:
    assert way(settings_of(tmp_path, server, sslmode="verify-full", sslrootcert="right.crt", **OWN))
    refused = {
        "another signer": {"sslmode": "verify-full", "sslrootcert": "wrong.crt", **OWN},
        "another host": {"sslmode": "verify-full", "sslrootcert": "right.crt", "host": "127.0.0.1", **OWN},
        "no TLS": {"sslmode": "disable"},
        "no certificate": {"sslmode": "require", "sslcert": "none.crt", "sslkey": "none.key"},
        "a stranger's certificate": {"sslmode": "require", "sslcert": "stranger.crt", "sslkey": "stranger.key"},
    }
    for name, stated in refused.items():
        with pytest.raises((Stop, DbtFailed)):
            pytest.fail(f"{name} is let in: {way(settings_of(tmp_path, server, **stated))}")


def test_what_would_not_reach_dbt_is_refused(tmp_path: Path) -> None:
    settings = temporary_settings(tmp_path, target="postgres", postgres_dsn="host=x password=hidden sslpassword=hidden")
    with pytest.raises(Stop, match="states sslpassword, which does not reach dbt") as refused:
        postgres.environment(settings)
    assert "hidden" not in str(refused.value)


def test_options_of_the_string_stay_beside_ours(postgres_dsn: str, tmp_path: Path) -> None:
    given = psycopg.conninfo.make_conninfo(postgres_dsn, options="-c work_mem=12345kB")
    with postgres.connect(temporary_settings(tmp_path, target="postgres", postgres_dsn=given)) as connection:
        assert connection.execute("show work_mem").fetchone() == ("12345kB",)
        assert connection.execute("show timezone").fetchone() == ("UTC",)
