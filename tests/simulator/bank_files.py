"""The simulator's files read without the pipeline."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path

from lakehouse.contracts import load_feeds


def read(path: Path, feed: str) -> Iterator[dict[str, str | None]]:
    """The rows of one data file as texts, None for null."""
    contract = load_feeds()[feed]
    if contract.format == "jsonl.gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                row = json.loads(line, parse_float=str)
                yield {name: None if value is None else str(value) for name, value in row.items()}
        return
    with path.open(encoding=contract.encoding, newline="") as file:
        for row in csv.DictReader(file, delimiter=contract.delimiter, quotechar='"', strict=True):
            yield {name: value or None for name, value in row.items()}
