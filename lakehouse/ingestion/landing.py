"""The landing folder: which deliveries are there, and whether what landed is what the sender meant to send."""

import codecs
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError, field_validator

from lakehouse.contracts import load_feeds
from lakehouse.lake.dates import month_end

_BLOCK = 1 << 20
_LONGEST_MANIFEST = 1 << 20  # bytes: one that is longer describes nothing that could be loaded
MOST_VERSIONS = 999_999
_LOOSE_QUOTES = (b' "', b'" ', b'\t"', b'"\t')
_MANIFEST_NAME = re.compile(
    r"(?P<feed>[a-z][a-z0-9_]*)_(?P<period>\d{4}-\d{2}(-\d{2})?)_v(?P<version>\d+)\.manifest\.json"
)


class Rejected(Exception):
    """A delivery that must not be loaded; the message is the reason that the outcome keeps."""


@dataclass(frozen=True, order=True)
class Period:
    """A day ("2026-01-05"), or a month of an initial load ("2026-01"), with its first and last date.

    >>> month = Period("2024-02")
    >>> month.start, month.end
    (datetime.date(2024, 2, 1), datetime.date(2024, 2, 29))
    >>> month.overlaps(Period("2024-02-29"))
    True
    """

    text: str

    @property
    def start(self) -> date:
        return date.fromisoformat(self.text if len(self.text) == 10 else f"{self.text}-01")

    @property
    def end(self) -> date:
        return self.start if len(self.text) == 10 else month_end(self.start)

    def overlaps(self, other: "Period") -> bool:
        return self.start <= other.end and other.start <= self.end

    def contains(self, day: date) -> bool:
        return self.start <= day <= self.end


def _lower(value: object) -> object:
    """Senders write a digest in capitals, too."""
    return value.lower() if isinstance(value, str) else value


class File(BaseModel):
    """A data file, as the manifest declares it."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+$")]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, BeforeValidator(_lower), Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What the sender says of a delivery."""

    feed: str
    period: str
    version: Annotated[int, Field(ge=1, le=MOST_VERSIONS)]
    load: Literal["initial", "daily"]
    cutoff_at: AwareDatetime
    row_count: Annotated[int, Field(ge=0)]
    control_sums: dict[str, Decimal] = {}
    files: Annotated[list[File], Field(min_length=1)]

    @property
    def daily_cutoff(self) -> date | None:
        """The date by which a daily delivery is known; None for an initial load, in which every row has its own."""
        return self.cutoff_at.date() if self.load == "daily" else None

    @field_validator("cutoff_at", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> datetime:
        """Keep the offset as written: the cut-off's date is the sender's, whatever the machine's time zone."""
        if not isinstance(value, str):
            raise ValueError("must be text such as 2026-01-05T23:59:59+08:00")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be text such as 2026-01-05T23:59:59+08:00") from None


@dataclass(frozen=True)
class Landed:
    """The bytes of one data file as they lie in the landing folder."""

    path: Path
    bytes: int
    sha256: str
    stamp: tuple[int, int]  # inode and time of change when it was read
    lines: int  # physical lines
    delimiters: int  # bytes that are the feed's delimiter, within quotes, too
    needs_care: bool  # has something that DuckDB's CSV reader reads in another way than ours


@dataclass(frozen=True)
class Delivery:
    """A delivery whose manifest has landed. Without a readable manifest only its name is known."""

    feed: str
    period: Period
    version: int
    path: Path  # of the manifest
    manifest: Manifest | None
    problem: str | None  # of the manifest

    @property
    def cutoff_date(self) -> date:
        return self.manifest.cutoff_at.date() if self.manifest else self.period.end

    @property
    def readable_manifest(self) -> Manifest:
        """The manifest of a delivery that was not refused for want of one."""
        assert self.manifest is not None, f"{self.path.name}: {self.problem}"
        return self.manifest

    @property
    def declared_hash(self) -> str | None:
        """The source hash that this delivery has if its files are what the manifest says; None if they cannot be."""
        if self.manifest is None:
            return None
        for file in self.manifest.files:
            path = self.path.parent / file.name
            if not path.is_file() or path.stat().st_size != file.bytes:
                return None
        return self._hash([(file.name, file.bytes, file.sha256) for file in self.manifest.files])

    def source_hash(self, landed: dict[str, Landed]) -> str:
        """64 hex digits over the manifest and the data as they landed; ``landed`` holds the files that are there."""
        return self._hash([(name, file.bytes, file.sha256) for name, file in landed.items()])

    def id_of(self, source_hash: str) -> str:
        """What records and messages call the delivery with this source."""
        return f"{self.feed}/{self.period.text}/v{self.version}-{source_hash[:12]}"

    def _hash(self, files: list[tuple[str, int, str]]) -> str:
        digest = hashlib.sha256(_bytes_of(self.path) or b"")
        for file in files:
            digest.update(repr(file).encode())
        return digest.hexdigest()


def deliveries(landing: Path, feed: str) -> Iterator[Delivery]:
    """Every delivery of the feed that has its manifest, oldest first. A file whose manifest is missing is not there."""
    for period, version, path in _named(landing, feed):
        manifest, problem = _read(path, feed, period.text, version)
        yield Delivery(feed, period, version, path, manifest, problem)


def remove(delivery: Delivery) -> None:
    """Take a delivery out of the landing folder: its manifest first, so that no half of it is taken in."""
    files = delivery.manifest.files if delivery.manifest else []
    for path in (delivery.path, *(delivery.path.parent / file.name for file in files)):
        path.unlink(missing_ok=True)


def misnamed(landing: Path, feed: str) -> list[Path]:
    """Manifests whose names say neither period nor version, so that nothing can be recorded of them."""
    return sorted({*(landing / feed).glob("*.manifest.json")} - {path for _, _, path in _named(landing, feed)})


def measure(delivery: Delivery) -> dict[str, Landed]:
    """Read every data file once: bytes, digest and physical lines of those that are there, by name."""
    paths = [delivery.path.parent / file.name for file in delivery.manifest.files] if delivery.manifest else []
    feed = load_feeds().get(delivery.feed)
    return {path.name: measure_file(path, feed.delimiter if feed else "") for path in paths if path.is_file()}


def check_arrived(delivery: Delivery, landed: dict[str, Landed]) -> None:
    """Reject a delivery whose manifest is not valid or whose files are not the ones that it declares.

    Raises
    ------
    Rejected
        Naming the file, what was expected, what arrived and what to do.
    """
    if delivery.manifest is None:
        raise Rejected(f"{delivery.path.name}: {delivery.problem}: send the manifest again")
    if delivery.period.start > delivery.cutoff_date:
        raise Rejected(
            f"{delivery.path.name}: period {delivery.period.text} begins after the cut-off {delivery.cutoff_date}: "
            "correct the period or cutoff_at"
        )
    for file in delivery.manifest.files:
        arrived = landed.get(file.name)
        if arrived is None:
            raise Rejected(f"{file.name}: missing from {delivery.path.parent.name}/: send it, then the manifest again")
        if arrived.bytes != file.bytes:
            short = " (truncated)" if arrived.bytes < file.bytes else ""
            raise Rejected(
                f"{file.name}: {file.bytes} bytes expected by the manifest, {arrived.bytes} found{short}: "
                "send the file again whole"
            )
        if arrived.sha256 != file.sha256:
            raise Rejected(
                f"{file.name}: sha256 {file.sha256} expected by the manifest, {arrived.sha256} found: "
                "send the file again, or the manifest that belongs to it"
            )


def _named(landing: Path, feed: str) -> list[tuple[Period, int, Path]]:
    return sorted(
        (Period(match["period"]), min(int(match["version"]), MOST_VERSIONS + 1), path)
        for path in (landing / feed).glob("*.manifest.json")
        if (match := _MANIFEST_NAME.fullmatch(path.name)) and match["feed"] == feed and is_period(match["period"])
    )


def _read(path: Path, feed: str, period: str, version: int) -> tuple[Manifest | None, str | None]:
    """The manifest, or None and what is wrong with it."""
    content = _bytes_of(path)
    if content is None:
        return None, f"no file that can be read, or over {_LONGEST_MANIFEST >> 20} MB"
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None, "written in UTF-16, not in UTF-8"
    try:
        manifest = Manifest.model_validate_json(content.removeprefix(codecs.BOM_UTF8))
    except ValidationError as error:
        faults = "; ".join(f"{_place(item['loc'])}: {item['msg']}" for item in error.errors(include_input=False))
        return None, f"not a complete manifest ({faults})"
    stated = {"feed": manifest.feed, "period": manifest.period, "version": manifest.version}
    named = {"feed": feed, "period": period, "version": version}
    if other := [name for name in named if stated[name] != named[name]]:
        return None, f"states another {' and '.join(other)} than its name, {(feed, period, version)}"
    return manifest, None


def _bytes_of(path: Path) -> bytes | None:
    """The bytes of a manifest; None of what only has its name: a folder, a link to nothing, a pipe, a huge file."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_MANIFEST:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _place(location: tuple[int | str, ...]) -> str:
    """Where in a manifest a fault is, without the words of its sender."""
    known = {*Manifest.model_fields, *File.model_fields}
    parts = [str(part) if isinstance(part, int) or part in known else "a name" for part in location]
    return ".".join(parts) or "file"


def is_period(text: str) -> bool:
    """Whether the text is a day or a month."""
    try:
        return bool(Period(text).start)
    except ValueError:
        return False


def measure_file(path: Path, delimiter: str) -> Landed:
    """Read one file for its bytes, digest, lines and delimiters, and for what DuckDB's CSV reader would lose.

    That reader drops spaces around quotes, and returns that no newline follows.
    """
    digest, size, newlines, delimiters, lone_returns, is_loose, last = hashlib.sha256(), 0, 0, 0, 0, False, b"\n"
    mark = delimiter.encode()
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            newlines += block.count(b"\n")
            delimiters += block.count(mark) if mark else 0
            with_last = last + block
            if b"\r" in with_last:
                lone_returns += block.count(b"\r") - with_last.count(b"\r\n")
            if b'"' in with_last:
                is_loose = is_loose or any(pair in with_last for pair in _LOOSE_QUOTES)
            is_loose = is_loose or b"\0" in block
            last = block[-1:]
    lines = newlines + (last != b"\n")
    stamp = (status.st_ino, status.st_mtime_ns)
    needs_care = is_loose or lone_returns > 0
    return Landed(path, size, digest.hexdigest(), stamp, lines, delimiters, needs_care)


def check_unchanged(landed: Iterable[Landed]) -> None:
    """Reject a delivery with a file that is not the one whose digest was taken.

    Raises
    ------
    Rejected
        Naming the file.
    """
    for file in landed:
        status = file.path.stat() if file.path.is_file() else None
        if not status or (status.st_ino, status.st_mtime_ns, status.st_size) != (*file.stamp, file.bytes):
            raise Rejected(f"{file.path.name}: changed while it was taken in: send it again under a new version")
