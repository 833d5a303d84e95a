"""A record in the lake of every whole publish: what it was made from, and the hashes of what readers saw of it.

A record names the deliveries whose fate is new since the record before it, so it grows with the day and not with
history; all of them are what the records up to it say, back to one that names all deliveries, and none before it: so
does one in so many (`WHOLE_EVERY`).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lakehouse.errors import Stop
from lakehouse.lake.files import write_json

COUNTED = "counted"  # the fate of a delivery that was not refused
WHOLE_EVERY = 32  # records: nobody reads more of them to know one


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
    """Write the record of a publish that readers have; where those before it cannot be read, it stands alone."""
    previous = max((number for number in _numbers(lake) if number < record.publish_id), default=None)
    try:
        chain = [] if previous is None else _chain(lake, previous)
    except Stop:
        chain = []
    if not 0 < len(chain) < WHOLE_EVERY:
        previous, chain = None, []
    before = _fates(chain)
    fates = _fates_of(record.deliveries, record.refused)
    new = {delivery: fate for delivery, fate in fates.items() if before.get(delivery) != fate}
    content = asdict(record) | {
        "previous": previous,
        "deliveries": [delivery for delivery, fate in new.items() if fate == COUNTED],
        "refused": {delivery: fate for delivery, fate in new.items() if fate != COUNTED},
        "gone": sorted(before.keys() - fates.keys()),
    }
    write_json(publish_path(lake, record.publish_id), content)


def read_publish(lake: Path, publish_id: int | None = None) -> PublishRecord:
    """The record of a publish, by default of the last.

    Raises
    ------
    Stop
        If there is none of that number; the message names those that there are. If it, or one before it, is damaged.
    """
    known = _numbers(lake)
    if not known:
        raise Stop("the lake has no record of a publish", "run a business date first (c360 run)")
    number = known[-1] if publish_id is None else publish_id
    if number not in known:
        raise Stop(f"the lake has no record of publish {number}", f"name one of {', '.join(map(str, known[-20:]))}")
    chain = _chain(lake, number)
    raw, fates = chain[-1], _fates(chain)
    return PublishRecord(
        publish_id=raw["publish_id"],
        business_date=date.fromisoformat(raw["business_date"]),
        run_id=raw["run_id"],
        target=raw["target"],
        project=raw["project"],
        token_fingerprint=raw["token_fingerprint"],
        deliveries=tuple(sorted(delivery for delivery, fate in fates.items() if fate == COUNTED)),
        refused={delivery: fate for delivery, fate in fates.items() if fate != COUNTED},
        tables=raw["tables"],
    )


def _fates_of(deliveries: Iterable[str], refused: Mapping[str, str]) -> dict[str, str]:
    return {**dict.fromkeys(deliveries, COUNTED), **refused}


def _chain(lake: Path, number: int) -> list[dict[str, Any]]:
    """The records that say together what became of each delivery by a publish; its own is the last."""
    chain = []
    following: int | None = number
    while following is not None:
        chain.append(raw := _read(lake, following))
        following = raw.get("previous")
    return chain[::-1]


def _fates(chain: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What became of each delivery by the last of the records."""
    fates: dict[str, str] = {}
    for raw in chain:
        fates |= _fates_of(raw["deliveries"], raw["refused"])
        for delivery in raw.get("gone", ()):
            del fates[delivery]
    return fates


def _read(lake: Path, number: int) -> dict[str, Any]:
    path = publish_path(lake, number)
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Stop(f"{path}: the record of a publish is lost or damaged", "put it back from a backup") from error


def _numbers(lake: Path) -> list[int]:
    return sorted(int(path.stem) for path in (lake / "publishes").glob("[!.]*.json"))


def publish_path(lake: Path, publish_id: int) -> Path:
    """The file of the record of a publish."""
    return lake / "publishes" / f"{publish_id:08}.json"
