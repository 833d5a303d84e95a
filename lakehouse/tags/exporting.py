"""Hand a tag on as a file: whom the bank may turn to at this moment, and how many it leaves out, and why."""

import csv
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from lakehouse import warehouse
from lakehouse.activation.permission import load_bars, said_since
from lakehouse.errors import Stop
from lakehouse.lake.files import appearing
from lakehouse.lake.page_views import Event, Journal
from lakehouse.settings import Settings
from lakehouse.spreadsheets import plain
from lakehouse.tags.changes import handed_in
from lakehouse.tags.counting import counted_day
from lakehouse.warehouse.stores import Shown

COLUMNS = ("customer_key", "channel", "owner", "rm_id", "branch_code")
PAGE = "tag_export"  # in ops.page_views


@dataclass(frozen=True)
class Exported:
    """What was handed on."""

    tag: str
    version: int
    business_date: date
    members: int
    handed_on: int
    left_out: dict[str, int]  # why the bank may not turn to them -> customers
    path: Path


def export(settings: Settings, tag: str, path: Path, by: str) -> Exported:
    """Write who has a tag and may be contacted as CSV: customer, channel, and who turns to them.

    Each customer who is handed on is an event of ``ops.page_views``, with the name of who did it.

    Raises
    ------
    Stop
        If nobody has the tag today, it is retired, the file exists, or nobody says who does it.
    """
    if not by.strip():
        raise Stop("nobody says who does it", "give --by NAME")
    if path.exists():
        raise Stop(f"{path} exists", "give another name, or remove it")
    with warehouse.shown(settings) as shown:
        version = _active_version(settings, shown, tag)
        since = said_since(settings, shown)
        rows, left_out = _permitted(shown, tag, since)
        day, publish_id = counted_day(shown.query), shown.publish_id
    _write_down(settings, [str(row[0]) for row in rows], f"{tag}:{version}", by, day, publish_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(map(plain, row) for row in rows)
    return Exported(tag, version, day, len(rows) + sum(left_out.values()), len(rows), left_out, path)


def _active_version(settings: Settings, shown: Shown, tag: str) -> int:
    rows = shown.query("select version, state from marts.tags where tag = $1 and is_current", (tag,)).to_pylist()
    if not rows:
        raise Stop(f"there is no tag {tag} on {shown.business_date}", "c360 tags list shows those that there are")
    if rows[0]["state"] != "active":
        raise Stop(f"{tag} is no tag that anybody has: its state is {rows[0]['state']}", "save it again, or leave it")
    for one in handed_in(settings):
        if one.tag == tag and one.change_kind == "retire":
            raise Stop(f"{one.changed_by} has retired {tag}, from {one.business_date} on", "save it again, or leave it")
    return int(rows[0]["version"])


def _permitted(shown: Shown, tag: str, since: dict[str, str]) -> tuple[list[tuple], dict[str, int]]:
    """Rows of `COLUMNS`, and reason -> customers of those who are left out."""
    with duckdb.connect(config={"threads": 1}) as connection:
        members = shown.query("select customer_key from marts.customer_tags where tag = $1", (tag,))
        connection.register("given", members)
        barred = load_bars(shown, connection, "contact", since)
        counts = connection.execute(
            f"select bar, count(*) from ({barred}) where bar is not null group by bar order by 2 desc, 1"
        ).fetchall()
        rows = connection.execute(
            f"select customer_key, talk_channel, owner, rm_id, branch_code from ({barred}) as permitted "
            "inner join policy using (customer_key) where bar is null order by customer_key"
        ).fetchall()
    return rows, dict(counts)


def _write_down(settings: Settings, keys: list[str], what: str, by: str, day: date, publish_id: int) -> None:
    """A line of the journal for each customer, on the disk before the file appears."""
    number, now = uuid4().hex, datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    Journal(settings.lake).append(
        [
            Event(
                event_id=f"{number}-{place}",
                happened_at=now,
                business_date=str(day),
                publish_id=publish_id,
                user_name=by,
                role_name=None,
                event_kind="view",
                page=PAGE,
                customer_key=key,
                detail=what,
                delivered=None,
            )
            for place, key in enumerate(keys)
        ]
    )
