"""Who may ask: tokens with scopes and a last day, of which only a hash is kept."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from filelock import FileLock

from c360.api.resources import SCOPES
from lakehouse.errors import Stop
from lakehouse.lake.files import appearing

PREFIX = "c360_"  # so that a scanner of secrets knows one


@dataclass(frozen=True)
class Grant:
    """What the bearer of one token may read, and until when."""

    name: str
    scopes: tuple[str, ...]
    last_day: date


def read_grants(path: Path) -> dict[str, Grant]:
    """Hash of a token -> its grant; none where there is no file.

    Raises
    ------
    Stop
        If the file is not what `add_token` writes.
    """
    if not path.exists():
        return {}
    try:
        return {
            digest: Grant(raw["name"], tuple(raw["scopes"]), date.fromisoformat(raw["last_day"]))
            for digest, raw in json.loads(path.read_text()).items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Stop(
            f"{path} (C360_API_TOKENS) is no list of API tokens", "restore it, or remove it and make new tokens"
        ) from error


def hash_of(token: str) -> str:
    """The hash under which a token is known. Tokens are random, 256 bits: they need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


def add_token(path: Path, name: str, scopes: tuple[str, ...], last_day: date) -> str:
    """Grant scopes to a new token and return it; it is shown this once.

    Raises
    ------
    Stop
        If there is no such scope, or the name has a token already.
    """
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise Stop(f"there is no scope {unknown[0]}", f"choose of {', '.join(SCOPES)}")
    with _locked(path):
        grants = read_grants(path)
        if name in {grant.name for grant in grants.values()}:
            raise Stop(f"{name} has a token", f"c360 api revoke {name}, then make a new one")
        token = PREFIX + secrets.token_urlsafe(32)
        _write(path, grants | {hash_of(token): Grant(name, scopes, last_day)})
    return token


def revoke_token(path: Path, name: str) -> None:
    """Take back a token; a server that runs refuses it at once.

    Raises
    ------
    Stop
        If nobody of that name has one.
    """
    with _locked(path):
        grants = read_grants(path)
        kept = {digest: grant for digest, grant in grants.items() if grant.name != name}
        if len(kept) == len(grants):
            raise Stop(f"{name} has no token", "c360 api tokens lists them")
        _write(path, kept)


def _locked(path: Path) -> FileLock:
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(f"{path.name}.lock"))


def _write(path: Path, grants: dict[str, Grant]) -> None:
    with appearing(path) as temporary:
        temporary.touch(mode=0o600)  # closed before anything is in it
        temporary.write_text(json.dumps({digest: asdict(grant) for digest, grant in grants.items()}, default=str))
