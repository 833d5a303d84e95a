"""Where things are: one frozen object, read from the environment."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import Stop

PROJECT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Settings:
    """Absolute paths and choices of one deployment; every field has an environment variable ``C360_<FIELD>``."""

    landing: Path
    lake: Path
    build: Path
    warehouse: Path
    published: Path
    deployment: Path
    target: str
    postgres_dsn: str
    broker_url: str  # of events within the day; empty: files alone
    memory_limit: str  # of DuckDB, for instance "6GB"
    token_secret: str

    @classmethod
    def from_env(cls, **overrides: object) -> "Settings":
        """Read ``C360_*``; keyword arguments win.

        Raises
        ------
        ValueError
            If the target is neither ``duckdb`` nor ``postgres``.
        """

        def value(name: str, default: str) -> str:
            given = overrides.get(name)
            return str(given) if given is not None else os.environ.get(f"C360_{name.upper()}", default)

        var = PROJECT / "var"
        paths = {
            name: Path(value(name, str(default))).resolve()
            for name, default in {
                "landing": var / "landing",
                "lake": var / "lake",
                "build": var / "build.duckdb",
                "warehouse": var / "warehouse.duckdb",
                "published": var / "published",
                "deployment": PROJECT / "deployments" / "simulated.yml",
            }.items()
        }
        target = value("target", "duckdb")
        if target not in ("duckdb", "postgres"):
            raise Stop(f"target is {target!r}: use duckdb or postgres")
        secret = value("token_secret", "") or _kept_secret(paths["lake"].parent / "token.secret")
        return cls(
            **paths,
            target=target,
            postgres_dsn=value("postgres_dsn", ""),
            broker_url=value("broker_url", ""),
            memory_limit=value("memory_limit", "6GB"),
            token_secret=secret,
        )


def _kept_secret(path: Path) -> str:
    """The token secret of an unconfigured installation: made once, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(secret := secrets.token_hex(32))
    return secret
