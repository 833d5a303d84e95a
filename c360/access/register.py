"""Who may ask: systems with scopes, people with a role, each with a last day; of their tokens only a hash is kept."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from filelock import FileLock

from c360.access.roles import SCOPES, Role, Sees, load_roles
from lakehouse.contracts import LEVELS
from lakehouse.errors import Stop
from lakehouse.lake.files import appearing

PREFIX = "c360_"  # so that a scanner of secrets knows one


@dataclass(frozen=True)
class Grant:
    """What the bearer of one token may do, and until when."""

    name: str
    scopes: tuple[str, ...]  # of a system; a person has those of the role
    last_day: date
    role_name: str | None = None  # of a person
    branch_code: str | None = None  # of a person who sees a branch
    rm_id: str | None = None  # of a relationship manager

    @property
    def role(self) -> Role | None:
        """The role of a person; None for a system."""
        return load_roles().get(self.role_name) if self.role_name else None

    @property
    def owner(self) -> str | None:
        """The owner on the worklist whose customers a person sees who sees those listed."""
        return self.role.owner if self.role else None

    @property
    def sees(self) -> Sees:
        """Whose customers: of a system all, of a person whose role is gone nobody's."""
        return (self.role.sees if self.role else Sees.none) if self.role_name else Sees.all

    @property
    def level(self) -> str:
        """Highest security level of the columns that they see: a system acts on keys, and serves nobody by itself."""
        return (self.role.level if self.role else LEVELS[0]) if self.role_name else "sensitive"

    def may(self, scope: str) -> bool:
        """Whether the scope is granted; a person's role decides at the moment of asking."""
        return scope in (self.role.may if self.role else self.scopes)


class Register:
    """The grants of a file, read again whenever it has changed: a revoked token is refused at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[float, dict[str, Grant]] = (-1.0, {})

    def find(self, digest: str, today: date) -> Grant | None:
        """The grant of a token by its hash, unless its last day is over."""
        grant = self._grants().get(digest)
        return grant if grant and today <= grant.last_day else None

    def _grants(self) -> dict[str, Grant]:
        changed = self._path.stat().st_mtime if self._path.exists() else 0.0
        if self._read[0] != changed:
            self._read = (changed, read_grants(self._path))
        return self._read[1]


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
            digest: Grant(
                raw["name"],
                tuple(raw["scopes"]),
                date.fromisoformat(raw["last_day"]),
                raw.get("role_name"),
                raw.get("branch_code"),
                raw.get("rm_id"),
            )
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
    return _add(path, Grant(name, scopes, last_day), "api")


def add_person(
    path: Path, name: str, role_name: str, last_day: date, branch_code: str | None = None, rm_id: str | None = None
) -> str:
    """Let a person sign in to the workbench with a new token, and return it; it is shown this once.

    Raises
    ------
    Stop
        If there is no such role, the role needs a branch or a manager's number that is not given, or the name has a
        token already.
    """
    role = load_roles().get(role_name)
    if role is None:
        raise Stop(f"there is no role {role_name}", f"choose of {', '.join(load_roles())}")
    for needed, given, option in ((Sees.branch, branch_code, "--branch"), (Sees.own, rm_id, "--manager")):
        if (role.sees is needed) != (given is not None):
            what = "needs" if given is None else "takes no"
            raise Stop(f"a {role_name} {what} {option}", f"c360 app grant {name} --role {role_name} …")
    return _add(path, Grant(name, (), last_day, role_name, branch_code, rm_id), "app")


def _add(path: Path, grant: Grant, command: str) -> str:
    with _locked(path):
        grants = read_grants(path)
        if grant.name in {one.name for one in grants.values()}:
            raise Stop(f"{grant.name} has a token", f"c360 {command} revoke {grant.name}, then make a new one")
        token = PREFIX + secrets.token_urlsafe(32)
        _write(path, grants | {hash_of(token): grant})
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
