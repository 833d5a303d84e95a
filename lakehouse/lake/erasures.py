"""Who was erased: a record per erasure in the lake, in which keyed hashes stand for the person, and its proof.

``erasures/<id>.json`` is written before anything is changed, and signed when nothing is left. What comes in later, from
an old file, a back-fill or a backup, is held against all records. The key lies beside the lake, in ``erasure.key``: it
makes the hashes, which a change of the token secret leaves as they are, and signs by Ed25519. Whoever has the public
key can verify a proof, and make none.
"""

import hmac
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import SecretStr

from lakehouse.errors import Stop
from lakehouse.lake.audit import replacing
from lakehouse.lake.files import json_text, write_json
from lakehouse.settings import write_secret

FOLDER = "erasures"
ERASED = "[erased]"  # what stands where a text cannot be null
PSEUDONYM = "erased:"  # begins what stands in place of an account number
PSEUDONYM_DIGITS = 16
_ABOUT_ENTRIES = b"entries of the erasure list"


@dataclass(frozen=True)
class Tie:
    """Two records of the person were one customer; entries of their party keys. What tied them is erased."""

    party: str
    customer: str
    rule: str
    weight: float | None
    since: date
    until: date | None

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Tie":
        """Read what `asdict` and JSON made of one."""
        since, until = (raw[name] and date.fromisoformat(raw[name]) for name in ("since", "until"))
        return cls(raw["party"], raw["customer"], raw["rule"], raw["weight"], since, until)


@dataclass(frozen=True)
class ErasedFile:
    """A file that an erasure wrote anew or removed: the one exception to "a lake file is never changed"."""

    file: str  # below the folder that `place` names
    place: str  # "lake", "landing", "outbox", "data_docs", "backup", "export"
    before: str  # SHA-256
    after: str | None  # None: it was removed
    rows_dropped: int = 0
    rows_blanked: int = 0
    control_sums: Mapping[str, str] = field(default_factory=dict)  # of the dropped rows: explains the manifest's


@dataclass(frozen=True)
class Erasure:
    """One erasure. ``entries`` are keyed hashes by the kind of number; nothing in it can be read back."""

    erasure_id: str
    business_date: date  # that readers saw when it was asked for
    by: str
    reason: str
    entries: Mapping[str, tuple[str, ...]]
    ties: tuple[Tie, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)  # feed -> what became of its rows, and why
    files: tuple[ErasedFile, ...] = ()
    publish_id: int | None = None  # the first publish without the person
    not_reached: tuple[str, ...] = ()  # backups that were away: a restore replays the erasure
    public_key: str = ""  # of the key that made the entries, and signs
    signature: str = ""  # empty until nothing is left

    @property
    def is_done(self) -> bool:
        """Whether nothing was left when it was signed."""
        return bool(self.signature)

    @property
    def content(self) -> bytes:
        """What is signed."""
        fields = asdict(replace(self, signature=""))
        return json.dumps(fields, default=str, sort_keys=True, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: str) -> "Erasure":
        """Read a record as it is in its file."""
        raw = json.loads(text)
        raw["business_date"] = date.fromisoformat(raw["business_date"])
        raw["entries"] = {kind: tuple(entries) for kind, entries in raw["entries"].items()}
        raw["ties"] = tuple(map(Tie.from_json, raw["ties"]))
        raw["files"] = tuple(ErasedFile(**file) for file in raw["files"])
        raw["not_reached"] = tuple(raw["not_reached"])
        return cls(**raw)


class ErasureKey:
    """Makes the entries of the list, and signs proofs."""

    def __init__(self, seed: bytes) -> None:
        self._signing = Ed25519PrivateKey.from_private_bytes(seed)
        self.entries_secret = SecretStr(hmac.digest(seed, _ABOUT_ENTRIES, "sha256").hex())

    @classmethod
    def of(cls, lake: Path) -> "ErasureKey":
        """The key beside the lake; the first erasure makes it.

        Raises
        ------
        Stop
            If people were erased from the lake and the key is gone, or another: nobody could be recognised.
        """
        path, erasures = key_file(lake), read_erasures(lake)
        if not path.exists():
            if erasures:
                raise Stop(f"{path} is gone: who was erased could not be recognised", "put it back from your vault")
            write_secret(path, secrets.token_hex(32))
        key = cls(bytes.fromhex(path.read_text()))
        if any(erasure.public_key != key.public_key for erasure in erasures):
            raise Stop(f"{path} is another key: who was erased could not be recognised", "put its own back")
        return key

    @property
    def public_key(self) -> str:
        """64 hex digits."""
        return self._signing.public_key().public_bytes_raw().hex()

    def entry(self, kind: str, value: str) -> str:
        """The hash that stands for a number of a kind, 64 hex digits."""
        secret = self.entries_secret.get_secret_value().encode()
        return hmac.digest(secret, f"{kind}:{value}".encode(), "sha256").hex()

    def signed(self, erasure: Erasure) -> Erasure:
        """The erasure with its signature: nothing is left."""
        whole = replace(erasure, signature="")
        return replace(whole, signature=self._signing.sign(whole.content).hex())


def work_folder(lake: Path) -> Path:
    """Where an erasure keeps, in clear, whom it is at while files are written anew; no run starts while it is there."""
    return lake.with_name(f".{lake.name}.erasure")


def key_file(lake: Path) -> Path:
    """Where the key lies: beside the lake, like the token secret."""
    return lake.parent / "erasure.key"


def bring_key(lake: Path, other: Path) -> None:
    """Let another lake that holds erasures of this one recognise who was erased, unless it has a key."""
    if key_file(lake).exists() and not key_file(other).exists():
        write_secret(key_file(other), key_file(lake).read_text())


def is_genuine(erasure: Erasure) -> bool:
    """Whether the proof is as it was signed with the key that it names."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(erasure.public_key))
        key.verify(bytes.fromhex(erasure.signature), erasure.content)
    except (InvalidSignature, ValueError):
        return False
    return True


def pseudonym(entry: str) -> str:
    """What stands in place of an account number, by its entry.

    >>> pseudonym(4 * "0a1b2c")
    'erased:0a1b2c0a1b2c0a1b'
    """
    return PSEUDONYM + entry[:PSEUDONYM_DIGITS]


def write_erasure(lake: Path, erasure: Erasure) -> None:
    """Write or replace the record."""
    path, content = erasure_path(lake, erasure.erasure_id), asdict(erasure)
    replacing(lake, path, json_text(content), erasure.by, "what the erasure has done")
    write_json(path, content)


def erasure_path(lake: Path, erasure_id: str) -> Path:
    """The file of a record."""
    return lake / FOLDER / f"{erasure_id}.json"


def read_erasures(lake: Path) -> list[Erasure]:
    """All erasures, those that are not finished, too."""
    return [_read(path) for path in _paths(lake)]


def read_erasure(lake: Path, erasure_id: str) -> Erasure:
    """One erasure.

    Raises
    ------
    Stop
        If there is none of that id; the message names those that there are.
    """
    if erasure_path(lake, erasure_id) not in _paths(lake):
        known = ", ".join(path.stem for path in _paths(lake)) or "none"
        raise Stop(f"there is no erasure of that id in {lake / FOLDER}", f"known are: {known}")
    return _read(erasure_path(lake, erasure_id))


def entries_of(erasures: Iterable[Erasure]) -> dict[str, tuple[str, ...]]:
    """Kind of number -> all entries of it."""
    merged: dict[str, set[str]] = {}
    for erasure in erasures:
        for kind, entries in erasure.entries.items():
            merged.setdefault(kind, set()).update(entries)
    return {kind: tuple(sorted(entries)) for kind, entries in sorted(merged.items())}


def _paths(lake: Path) -> list[Path]:
    return sorted((lake / FOLDER).glob("[!.]*.json"))


def _read(path: Path) -> Erasure:
    try:
        return Erasure.from_json(path.read_text())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Stop(f"{path}: the record of an erasure is damaged", "put it back from a backup") from error
