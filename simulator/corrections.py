"""What a bank corrects afterwards: a posting that comes a day late, and a delivery that is sent again."""

import hashlib
import json
from datetime import date
from pathlib import Path

from lakehouse.contracts import Feed, load_feeds

_LATE, _AGAIN = "transactions", "branch_visits"


def correct(landing: Path, first: date, second: date, third: date) -> list[str]:
    """Let the second day's postings hold one of the day before, and the third day bring the first day's visits again.

    Parameters
    ----------
    landing
        Folder that ``generate`` wrote, with daily deliveries of the three days.
    first, second, third
        Business dates, one after the other.

    Returns
    -------
    list of str
        What was done, a line each.
    """
    feed = load_feeds()[_LATE]
    header, *rows = _lines(landing, feed, second)
    rows[-1] = rows[-1].replace(str(second), str(first), 1)
    _write(landing, feed, second, 1, [header, *rows], second)

    feed = load_feeds()[_AGAIN]
    header, *rows = _lines(landing, feed, first)
    column = header.split(feed.delimiter).index("service_type")
    for place, row in enumerate(rows[:1]):  # a quiet day is sent again as it was
        fields = row.split(feed.delimiter)
        fields[column] = "account" if fields[column] == "enquiry" else "enquiry"
        rows[place] = feed.delimiter.join(fields)
    _write(landing, feed, first, 2, [header, *rows], third)
    return [
        f"{_LATE} of {second} hold a posting of {first} that comes late",
        f"{_AGAIN} of {first} are sent again with {third}, one of them corrected",
    ]


def _lines(landing: Path, feed: Feed, day: date) -> list[str]:
    path = landing / feed.name / f"{feed.name}_{day}_v1.dat"
    return path.read_text(feed.encoding).splitlines()


def _write(landing: Path, feed: Feed, day: date, version: int, lines: list[str], cutoff: date) -> None:
    """A version of a delivery whose amounts are those of the first, and its manifest."""
    name = f"{feed.name}_{day}_v{version}"
    data = ("\n".join(lines) + "\n").encode(feed.encoding)
    manifest = json.loads((landing / feed.name / f"{feed.name}_{day}_v1.manifest.json").read_text()) | {
        "version": version,
        "cutoff_at": f"{cutoff}T23:59:59+08:00",
        "row_count": len(lines) - 1,
        "files": [{"name": f"{name}.dat", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}],
    }
    (landing / feed.name / f"{name}.dat").write_bytes(data)
    (landing / feed.name / f"{name}.manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
