"""One way to write each kind of file anew without a person: rows of feeds, other Parquet, text.

Each writes the new content to a target and says what has changed; it never touches the file itself.
"""

import gzip
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.contracts import load_feeds
from lakehouse.ingestion.erased import Effect, Erased
from lakehouse.lake.erasures import ERASED

_BINARY = (".skops", ".duckdb")  # models hold no rows; databases are built again
_SIGNED = ("card.json", "signature")  # of models: figures of many
_WHOLE = ("raw_text", "_text")  # a refused row goes as a whole: its fields may stand in the wrong places


@dataclass(frozen=True)
class Replacing:
    """Text -> what takes its place, wherever it stands; the longest first."""

    texts: Mapping[str, str]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds any of them; a number within a longer one is another's."""
        longest_first = sorted(self.texts, key=lambda text: (-len(text), text))
        return re.compile("|".join(map(_alone, longest_first)) or r"(?!)")

    def in_text(self, text: str) -> str:
        """The text without the person."""
        return self.pattern.sub(lambda found: self.texts[found[0]], text)

    def is_in(self, text: str) -> bool:
        """Whether the text names the person."""
        return self.pattern.search(text) is not None


@dataclass(frozen=True)
class Rewriter:
    """Writes any file of the bank without those who are on the list."""

    erased: Erased
    replacing: Replacing

    def write(self, path: Path, file: Path, target: Path) -> Effect | None:
        """Write a file of the lake, or of another folder; None, and nothing is written, if nobody is in it.

        Parameters
        ----------
        file : Path
            Where it belongs, below its folder: by it the kind is known.
        """
        feed = load_feeds().get(file.parts[1]) if file.parts[0] == "raw" else None
        if feed:
            return self.erased.rewrite(feed, path, target, self.replacing.in_text)
        if file.suffix in _BINARY or (file.parts[0] == "models" and file.name in _SIGNED):
            return None
        if file.suffix == ".parquet":
            cells = rewrite_parquet(path, target, self.replacing)
        else:
            cells = int(rewrite_text(path, file, target, self.replacing))
        return Effect(0, cells, {}) if cells else None

    def is_named_in(self, path: Path, file: Path) -> bool:
        """Whether a landed file names the person."""
        feed, content = load_feeds().get(file.parts[0]), path.read_bytes()
        if file.suffix == ".gz":
            try:
                content = gzip.decompress(content)
            except (OSError, EOFError, zlib.error):
                return True  # what cannot be read cannot be shown to hold nobody
        return self.replacing.is_in(content.decode(feed.encoding if feed else "UTF-8", errors="replace"))


def rewrite_parquet(path: Path, target: Path, replacing: Replacing) -> int | None:
    """Write a Parquet file, of no feed, without the texts; how many cells changed, or None, and nothing is written."""
    table = pq.read_table(path, partitioning=None)
    changed = 0
    for place, field in enumerate(table.schema):
        if not (pa.types.is_string(field.type) or pa.types.is_large_string(field.type)):
            continue
        values = pc.unique(table[place]).to_pylist()
        others = [value and _replaced(field.name, value, replacing) for value in values]
        if others != values:
            positions = pc.index_in(table[place], pa.array(values, field.type))
            column = pc.take(pa.array(others, field.type), positions)
            changed += pc.sum(pc.fill_null(pc.not_equal(column, table[place]), False)).as_py() or 0
            table = table.set_column(place, field, column)
    if not changed:
        return None
    pq.write_table(table, target, compression="zstd")
    return changed


def rewrite_text(path: Path, file: Path, target: Path, replacing: Replacing) -> bool:
    """Write a text file, packed or not, without the texts; whether it had any."""
    is_packed = file.suffix == ".gz"
    content = gzip.decompress(path.read_bytes()) if is_packed else path.read_bytes()
    before = content.decode(errors="surrogateescape")
    after = replacing.in_text(_escaped(before, replacing))
    if after == before:
        return False
    data = after.encode(errors="surrogateescape")
    target.write_bytes(gzip.compress(data, mtime=0) if is_packed else data)
    return True


def _alone(text: str) -> str:
    before = r"(?<![0-9A-Za-z])" if text[0].isascii() and text[0].isalnum() else ""
    after = r"(?![0-9A-Za-z])" if text[-1].isascii() and text[-1].isalnum() else ""
    return before + re.escape(text) + after


def _replaced(column: str, value: str, replacing: Replacing) -> str:
    if column in _WHOLE:
        return ERASED if replacing.is_in(value) else value
    return replacing.in_text(value)


def _escaped(text: str, replacing: Replacing) -> str:
    r"""Text in which JSON has written other letters as ``\uXXXX``: those of the person are replaced, too."""
    if "\\u" not in text:
        return text
    for name, other in replacing.texts.items():
        escaped = name.encode("unicode_escape").decode()
        if escaped != name:
            text = text.replace(escaped, other)
    return text
