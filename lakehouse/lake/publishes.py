"""A record in the lake of every whole publish: what it was made from, and the hashes of what readers saw of it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from lakehouse.errors import Stop
from lakehouse.lake.files import write_json


@dataclass(frozen=True)
class PublishRecord:
    """One publish of all schemas; written once, never changed."""

    publish_id: int
    business_date: date
    run_id: str
    target: str  # "duckdb" or "postgres": the hashes of the two differ
    project: str  # the dbt project that built it
    token_fingerprint: str  # of the secret of its tokens
    deliveries: tuple[str, ...]  # ids of those that counted
    refused: Mapping[str, str]  # id of those that did not -> "rejected" or "retracted"
    tables: Mapping[str, str]  # published name -> content hash


def write_publish(lake: Path, record: PublishRecord) -> None:
    """Write the record of a publish that readers have."""
    write_json(_path(lake, record.publish_id), asdict(record))


def read_publish(lake: Path, publish_id: int | None = None) -> PublishRecord:
    """The record of a publish, by default of the last.

    Raises
    ------
    Stop
        If there is none of that number; the message names those that there are.
    """
    known = sorted(int(path.stem) for path in (lake / "publishes").glob("[!.]*.json"))
    if not known:
        raise Stop("the lake has no record of a publish", "run a business date first (c360 run)")
    number = known[-1] if publish_id is None else publish_id
    if number not in known:
        raise Stop(f"the lake has no record of publish {number}", f"name one of {', '.join(map(str, known[-20:]))}")
    path = _path(lake, number)
    try:
        raw = json.loads(path.read_text())
    except ValueError as error:
        raise Stop(f"{path}: the record of a publish is damaged", "put it back from a backup") from error
    deliveries, day = tuple(raw["deliveries"]), date.fromisoformat(raw["business_date"])
    return PublishRecord(**raw | {"deliveries": deliveries, "business_date": day})


def _path(lake: Path, publish_id: int) -> Path:
    return lake / "publishes" / f"{publish_id:08}.json"
