"""The landing folder: files that grow block by block while customers are simulated, and the manifests, written last."""

import hashlib
import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from lakehouse.contracts import Feed, load_feeds
from lakehouse.errors import Stop
from simulator.text import Values, concatenate, lines
from simulator.timeline import Month, Timeline, to_date

_BY_PEOPLE = ("identity_decisions", "action_outcomes", "tag_definitions", "case_events")
"""Feeds of what the bank's people make of what they see: no simulated history has them (see ``staff``)."""
COMMUNITY = 256
"""Customers with consecutive numbers who deal with each other; the unit of compression and the least chunk."""


@dataclass
class File:
    """One data file and what its manifest will say."""

    path: Path
    rows: int = 0
    size: int = 0  # bytes
    sums: dict[str, int] = field(default_factory=dict)  # cents
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def append(self, block: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(block)
        self.size += len(block)
        self.hash.update(block)


class Deliveries:
    """One delivery per feed and period below ``landing``.

    Parameters
    ----------
    landing
        Folder to write to.
    timeline
        Its periods become the deliveries.
    only
        Feeds to write; others are simulated but not written. None writes all.

    Raises
    ------
    Stop
        If ``only`` names a feed without a contract.
    """

    def __init__(self, landing: Path, timeline: Timeline, only: Collection[str] | None) -> None:
        feeds = load_feeds()
        if unknown := set(only or ()) - set(feeds):
            raise Stop(f"no contract under feeds/ for {', '.join(sorted(unknown))}")
        self._timeline = timeline
        self._feeds = {
            name: feed.at_least
            for name, feed in feeds.items()
            if name not in _BY_PEOPLE and (only is None or name in only)
        }
        self._pending: dict[str, list[tuple[dict[str, Values], np.ndarray, np.ndarray]]] = {}
        self.files: dict[tuple[str, int], File] = {}
        for name, feed in self._feeds.items():
            (landing / name).mkdir(parents=True)
            suffix = "dat" if feed.format == "delimited" else feed.format
            for index, period in enumerate(timeline.periods):
                if feed.is_snapshot and index < timeline.history_months - 1:
                    continue
                file = File(landing / name / f"{name}_{period.name}_v1.{suffix}")
                self.files[name, index] = file
                if feed.format == "delimited":
                    header = feed.delimiter.join(column.name for column in feed.sent_columns) + "\n"
                    file.append(header.encode(feed.encoding))

    def write(self, name: str, rows: dict[str, Values], day: np.ndarray, owner: np.ndarray) -> None:
        """Keep rows of the present month until ``flush``.

        Parameters
        ----------
        name
            Feed.
        rows
            One value per contract column.
        day
            Business day of each row, which decides the period.
        owner
            Customer index of each row.
        """
        if name in self._feeds and len(day):
            self._pending.setdefault(name, []).append((rows, day, owner))

    def flush(self, month: Month) -> None:
        """Append what was written to the deliveries of its days; rows after the last day are dropped.

        Rows go in the order of their owners, else as they were written, so files do not depend on the chunks.

        Raises
        ------
        Stop
            If a row is not of the month: its place in the file would depend on the chunk.
        """
        for name, parts in self._pending.items():
            day = np.concatenate([part[1] for part in parts])
            owner = np.concatenate([part[2] for part in parts])
            if day.min() < month.first or day.max() > month.last:
                raise Stop(f"{name}: rows from {to_date(day.min())} to {to_date(day.max())} in {to_date(month.first)}")
            rows = {column: concatenate([part[0][column] for part in parts]) for column in parts[0][0]}
            known = np.minimum(day, self._timeline.last) - self._timeline.first
            period = np.where(
                day <= self._timeline.last, self._timeline.period_of_day[known], len(self._timeline.periods)
            )
            self._append(name, rows, period, owner)
        self._pending.clear()

    def write_snapshot(self, name: str, index: int, rows: dict[str, Values], owner: np.ndarray) -> None:
        """Append rows to the snapshot of period ``index``."""
        if name in self._feeds and len(owner):
            self._append(name, rows, np.full(len(owner), index), owner)

    def _append(self, name: str, rows: dict[str, Values], period: np.ndarray, owner: np.ndarray) -> None:
        feed = self._feeds[name]
        text = lines(feed, rows)
        sums = {column: rows[column] for column in feed.control_sums}
        if (np.diff(period) < 0).any() or (np.diff(owner) < 0).any() or period[0] != period[-1]:
            order = np.lexsort((owner, period))
            text, period, owner = text.take(pa.array(order)), period[order], owner[order]
            sums = {column: values[order] for column, values in sums.items()}
        offsets = np.frombuffer(text.buffers()[1], np.int32)
        content = memoryview(text.buffers()[2])
        for index in np.unique(period[period < len(self._timeline.periods)]):
            file = self.files[name, int(index)]
            first, last = np.searchsorted(period, [index, index + 1])
            file.rows += int(last - first)
            for column, values in sums.items():
                file.sums[column] = file.sums.get(column, 0) + int(values[first:last].sum())
            if feed.format == "delimited":
                file.append(_encoded(feed, content[offsets[first] : offsets[last]]))
                continue
            community = owner[first:last] // COMMUNITY
            starts = [*(first + np.flatnonzero(np.diff(community, prepend=-1))), last]
            for begin, end in pairwise(starts):
                # One gzip member per community: the bytes do not depend on how customers are chunked.
                file.append(zlib.compress(content[offsets[begin] : offsets[end]], 1, wbits=31))

    def last(self, name: str) -> tuple[str, File]:
        """Period and file of a feed's last delivery."""
        index = len(self._timeline.periods) - 1
        return self._timeline.periods[index].name, self.files[name, index]

    def replace(self, name: str, content: bytes, rows: int, sums: dict[str, int]) -> None:
        """Write a feed's last file anew; ``rows`` and ``sums`` go into its manifest."""
        _, file = self.last(name)
        file.path.unlink()
        file.rows, file.size, file.sums, file.hash = rows, 0, sums, hashlib.sha256()
        file.append(content)

    def close(self) -> int:
        """Write the manifests; number of rows of all deliveries."""
        for (name, index), file in self.files.items():
            if not file.size:
                file.append(zlib.compress(b"", 1, wbits=31))
            self.write_manifest(name, index)
        return sum(file.rows for file in self.files.values())

    def write_manifest(self, name: str, index: int) -> None:
        """Write the manifest of one delivery as its file stands."""
        period, file = self._timeline.periods[index], self.files[name, index]
        sums = {column: file.sums.get(column, 0) for column in self._feeds[name].control_sums}
        manifest = {
            "feed": name,
            "period": period.name,
            "version": 1,
            "load": period.load,
            "cutoff_at": f"{to_date(period.last)}T23:59:59+08:00",
            "row_count": file.rows,
            "control_sums": {column: decimal_text(cents) for column, cents in sums.items()},
            "files": [{"name": file.path.name, "bytes": file.size, "sha256": file.hash.hexdigest()}],
        }
        path = file.path.with_name(f"{name}_{period.name}_v1.manifest.json")
        path.write_text(json.dumps(manifest, indent=1) + "\n")


def decimal_text(cents: int) -> str:
    """An amount as a manifest writes it.

    >>> decimal_text(-1205)
    '-12.05'
    """
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def _encoded(feed: Feed, block: memoryview) -> bytes:
    return bytes(block) if feed.encoding == "UTF-8" else str(block, "utf-8").encode(feed.encoding)
