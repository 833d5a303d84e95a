"""A file of receipts per publish: ``receipts/business_date=<D>/<publish id>.parquet``, written once.

A row is a receipt with its own hash; what all share is in the file's metadata: the publish, its data pin, and the
contact policy as SQL with its limits. The file's digest and the root of its receipts' hashes are in the audit.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypedDict

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.errors import Stop
from lakehouse.lake import appearing, audit
from lakehouse.lake.files import digest

HASH = "receipt_sha256"
_ABOUT = b"c360 receipts"


class About(TypedDict):
    """What the receipts of a publish share."""

    publish_id: int
    business_date: str
    run_id: str
    project: str  # version of the dbt project
    pin: str  # hash of the deliveries that were known
    publish_sha256: str | None  # of the record of the publish, which names every delivery; None if it was lost
    bars_sql: str  # each bar of the contact policy, over `facts` and `contact_limits`
    policy_sql: str  # the policy, over `facts`, `bars` and `contact_limits`
    contact_limits: list[dict[str, Any]]


Receipt = Mapping[str, Any]  # a row: column -> value


@dataclass(frozen=True)
class Receipts:
    """The receipts of one publish."""

    path: Path
    about: About
    table: pa.Table

    @property
    def root(self) -> str:
        """One hash over the hashes of all receipts, in their order."""
        return hashlib.sha256("".join(self.table[HASH].to_pylist()).encode()).hexdigest()


def path_of(lake: Path, day: date, publish_id: int) -> Path:
    """Where the receipts of a publish lie."""
    return lake / "receipts" / f"business_date={day}" / f"{publish_id:08}.parquet"


def prepared_path(lake: Path) -> Path:
    """Where the receipts of a publish lie before it: those of one, since no two are made at once."""
    return lake / "receipts" / "prepared.parquet"


def not_in_audit(lake: Path, path: Path) -> str | None:
    """Why a file of receipts is not the one that the audit knows; None if it is."""
    name, now = str(path.relative_to(lake)), digest(path)
    if any(one["subject"] == name and one["new"] == now for one in audit.read(lake)):
        return None
    return f"{name} is not the file that the audit knows"


def hashed(table: pa.Table) -> pa.Table:
    """The rows with the hash of each."""
    return table.append_column(HASH, pa.array([hash_of(row) for row in table.to_pylist()], pa.string()))


def hash_of(receipt: Receipt) -> str:
    """SHA-256 of a receipt's values under their names."""
    values = {name: value for name, value in receipt.items() if name != HASH}
    return hashlib.sha256(json.dumps(values, default=str, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def write(receipts: Receipts) -> None:
    """Let the file appear."""
    kept = receipts.table.replace_schema_metadata({_ABOUT: json.dumps(receipts.about, default=str)})
    with appearing(receipts.path) as temporary:
        pq.write_table(kept, temporary, compression="zstd")


def read(path: Path, receipt_id: str | None = None) -> Receipts:
    """The receipts of a file, or the one of that id alone.

    Raises
    ------
    Stop
        If it cannot be read; whether it is what was written says the audit.
    """
    try:
        one = None if receipt_id is None else pc.field("receipt_id") == receipt_id
        table = pq.read_table(path, partitioning=None, filters=one)
        return Receipts(path, json.loads(table.schema.metadata[_ABOUT]), table)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise Stop(
            f"{path}: the receipts are damaged", "c360 audit verify says more; put it back from a backup"
        ) from error


def newest(lake: Path, day: date | None = None, publish_id: int | None = None) -> Path:
    """The file of a publish; by default the last of a business date, or of all.

    Raises
    ------
    Stop
        If there is none.
    """
    folder = f"business_date={day}" if day else "business_date=*"
    name = f"{publish_id:08}" if publish_id is not None else "[!.]*"
    files = sorted((lake / "receipts").glob(f"{folder}/{name}.parquet"), key=lambda path: path.stem)
    if not files:
        about = f" of publish {publish_id}" if publish_id is not None else ""
        raise Stop(
            f"there are no receipts{about}{f' of {day}' if day else ''}", "every publish of `c360 run` leaves some"
        )
    return files[-1]


def find(lake: Path, receipt_id: str, day: date | None = None, publish_id: int | None = None) -> Receipts:
    """The receipt of an id: of the publish that is named, else of the last that has one.

    Raises
    ------
    Stop
        If no publish has one.
    """
    if day is not None or publish_id is not None:
        files: Iterable[Path] = [newest(lake, day, publish_id)]
    else:
        files = sorted(
            (lake / "receipts").glob("business_date=*/[!.]*.parquet"), key=lambda path: path.stem, reverse=True
        )
    for path in files:
        ids = pq.read_table(path, columns=["receipt_id"], partitioning=None)["receipt_id"]
        if pc.any(pc.equal(ids, receipt_id)).as_py():
            return read(path, receipt_id)
    raise Stop(
        f"there is no receipt {receipt_id}",
        "name an action_id of actions.worklist, or score:TASK:CUSTOMER of a score in the highest band",
    )
