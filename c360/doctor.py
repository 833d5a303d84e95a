"""Check an installation: one finding for each thing that a run needs."""

import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis

from lakehouse.contracts import load_deployment, load_feeds
from lakehouse.intraday import broker
from lakehouse.settings import Settings

ENOUGH_DISK = 5 * 2**30


@dataclass(frozen=True)
class Finding:
    """The result of one check; if it failed, the verdict says what to do."""

    subject: str
    is_fine: bool
    verdict: str


def examine(settings: Settings) -> list[Finding]:
    """Check everything that a run needs. Folders that are missing are made; nothing else changes."""
    return list(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield _finding("python", version.startswith("3.11."), version, "Python 3.11 is what the lock was made for")
    yield _attempt("contracts", lambda: f"{len(load_feeds())} feeds")
    yield _attempt("deployment", lambda: f"{load_deployment(settings.deployment).name} ({settings.deployment})")
    yield _finding("landing", settings.landing.is_dir(), str(settings.landing), "make it, or set C360_LANDING")
    yield _attempt("lake", lambda: _writable(settings.lake))
    yield _attempt("warehouse", lambda: _writable(settings.warehouse.parent))
    free = shutil.disk_usage(settings.lake.parent).free
    yield _finding("disk", free > ENOUGH_DISK, f"{free / 2**30:.0f} GiB free", "free some space: a run needs 5 GiB")
    secret = settings.lake.parent / "token.secret"
    if secret.exists():
        mode = stat.S_IMODE(secret.stat().st_mode)
        yield _finding("token secret", not mode & 0o077, f"{secret} mode {mode:o}", f"chmod 600 {secret}")
    if settings.target == "postgres":
        yield _attempt("postgres", lambda: _server_version(settings.postgres_dsn.get_secret_value()))
    if settings.broker_url:
        yield _attempt("broker", lambda: _broker_version(broker.connect(settings.broker_url)))


def _finding(subject: str, is_fine: bool, seen: str, remedy: str) -> Finding:
    return Finding(subject, is_fine, seen if is_fine else f"{seen}: {remedy}")


def _attempt(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, True, look())
    except Exception as failure:  # noqa: BLE001 (whatever it is, it is the finding)
        return Finding(subject, False, str(failure))


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    probe = folder / ".doctor"
    probe.touch()
    probe.unlink()
    return str(folder)


def _server_version(dsn: str) -> str:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        return f"PostgreSQL {connection.info.server_version // 10000} at {connection.info.host}"


def _broker_version(client: redis.Redis) -> str:
    return f"Redis {client.info('server')['redis_version']}"
