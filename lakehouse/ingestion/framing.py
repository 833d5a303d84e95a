"""Framing: where records begin and end. Landed bytes become Arrow batches of records with their physical lines.

There are two ways, with equal results. ``numbered`` lets DuckDB's own CSV reader split a UTF-8 file and only numbers
its rows; it holds while every row is one line, which the caller checks against the lines counted. ``framed`` reads
line by line, so that an undecodable byte or an unclosed quote costs the row that has it and never its neighbours.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from lakehouse.contracts import Feed
from lakehouse.ingestion.landing import Landed, Rejected
from lakehouse.sql import identifier, literal

_BLOCK = 1 << 22
_LONGEST_RECORD = 1 << 24  # bytes
_LONGEST_HEADER = 1 << 16
_MOST_UNPACKED = 60  # times the packed size: JSON of events packs to a tenth or a twentieth
_UNPACKED_FREELY = 1 << 26  # bytes
_MOST_LINES = 1000  # of one record: an opening quote that finds no partner within them was never closed
_DELIMITERS = {",", ";", "|", "\t"}  # that senders use by mistake
_FILE = pa.dictionary(pa.int32(), pa.string())
_LONE_QUOTE = re.compile(r'(?<!")(?:"")*"(?!")')  # can close a field; doubled quotes cannot
_NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # Postgres cannot hold U+0000

FRAMED = pa.schema(
    [
        ("_file", _FILE),
        ("_row", pa.int64()),
        ("_text", pa.string()),
        ("_fields", pa.list_(pa.string())),  # of a record with quotes; null where a split by the delimiter will do
        ("_fault", pa.string()),
    ]
)


def as_sent(feed: Feed, files: list[Landed]) -> Feed:
    """The feed with the columns of its delimited files, whose header rows are held against the contract.

    Raises
    ------
    Rejected
        Naming the column that is missing or misplaced, and the position of one that is unknown; or the file whose
        columns are not those of the others.
    """
    absences = {file.path.name: _absent(file.path, feed) for file in files}
    absent = next(iter(absences.values()), frozenset())
    for name, of_file in absences.items():
        if of_file != absent:
            raise Rejected(f"{name}: row 1: other columns than {next(iter(absences))}: send both files alike")
    return replace(feed, absent=absent)


def _absent(path: Path, feed: Feed) -> frozenset[str]:
    """The columns that a file lacks and may lack."""
    with path.open("rb") as file:
        line = file.readline(_LONGEST_HEADER)
    if not line.strip():
        raise Rejected(f"{path.name}: row 1: no header row: send the file with the columns of the contract")
    if b"\r" in line.rstrip(b"\r\n"):
        raise Rejected(f"{path.name}: row 1: lines end with CR alone: send them with LF, or with CR and LF")
    if len(line) == _LONGEST_HEADER:
        raise Rejected(f"{path.name}: row 1: no header row: the line is over {_LONGEST_HEADER} bytes")
    text = line.decode(feed.encoding, "backslashreplace").removeprefix("\ufeff").rstrip("\r\n")
    header = next(csv.reader([text], delimiter=feed.delimiter))
    absent = frozenset(column.name for column in feed.columns if column.may_be_absent and column.name not in header)
    expected = [column.name for column in feed.columns if column.name not in absent]
    if faults := _header_faults(header, expected, feed.delimiter):
        raise Rejected(f"{path.name}: row 1: {faults}: send the file as the contract has it")
    return absent


def _header_faults(header: list[str], expected: list[str], delimiter: str) -> str:
    """What is wrong with the names of row 1; its own words never appear, for they may be those of a customer."""
    if header == expected:
        return ""
    if not set(header) & set(expected):
        for other in sorted(_DELIMITERS - {delimiter}):
            if set(expected) & set(next(csv.reader(header[:1], delimiter=other), [])):
                return f"the fields are divided by {other!r}, the contract divides them by {delimiter!r}"
        return f"no header row: none of its {len(header)} fields is the name of a column"
    faults = [f"column {name} is missing" for name in expected if name not in header]
    faults += [
        f"field {place} is no column of the contract" for place, name in enumerate(header, 1) if name not in expected
    ]
    faults += [f"column {name} stands twice" for name in expected if header.count(name) > 1]
    return "; ".join(faults) or f"the columns stand in another order than {', '.join(expected)}"


def other_delimiter(feed: Feed, text: str) -> str | None:
    """The delimiter by which a record has the fields of the contract, if it is not the contract's."""
    if feed.format != "delimited":
        return None
    for other in sorted(_DELIMITERS - {feed.delimiter}):
        fields, _ = split_quoted(text, other)
        if fields and len(fields) == len(feed.sent_columns):
            return other
    return None


def numbered(files: list[Landed], feed: Feed, threads: int) -> pa.RecordBatchReader:
    """Every column as text, empty as null, split by DuckDB; ``_row`` counts as if each row were one line.

    Raises
    ------
    duckdb.Error
        While it is read, at the first row that is not well formed.
    """
    names = [column.name for column in feed.sent_columns]
    types = ", ".join(f"{literal(name)}: 'varchar'" for name in names)
    schema = pa.schema([("_file", _FILE), ("_row", pa.int64()), *((name, pa.string()) for name in names)])

    def batches() -> Iterator[pa.RecordBatch]:
        with closing(duckdb.connect(config={"threads": threads, "memory_limit": "1GB"})) as parser:
            for landed in files:
                source = (
                    f"select {', '.join(map(identifier, names))} from read_csv({literal(str(landed.path))}, "
                    f"auto_detect = false, header = true, delim = {literal(feed.delimiter)}, quote = '\"', "
                    f"escape = '\"', strict_mode = true, max_line_size = {_LONGEST_RECORD}, columns = {{{types}}})"
                )
                row = 2
                for batch in parser.sql(source).to_arrow_reader(_BLOCK >> 5):
                    yield pa.record_batch(
                        [_names(landed.path, len(batch)), pa.array(np.arange(row, row + len(batch))), *batch.columns],
                        schema,
                    )
                    row += len(batch)

    return pa.RecordBatchReader.from_batches(schema, batches())


def framed(files: list[Landed], feed: Feed, damages: list[str]) -> pa.RecordBatchReader:
    """Records with their text and first physical line; a file that cannot be read on adds to ``damages`` and ends."""

    def batches() -> Iterator[pa.RecordBatch]:
        for landed in files:
            try:
                yield from _frame(landed.path, feed)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                damages.append(f"{landed.path.name}: broken gzip stream ({error}): send the file again whole")
            except _TooLong as error:
                damages.append(f"{landed.path.name}: {error}")

    return pa.RecordBatchReader.from_batches(FRAMED, batches())


def split_quoted(text: str, delimiter: str) -> tuple[list[str] | None, bool]:
    """The fields of one record, and whether it ends within quotes, so that the next line may belong to it.

    A field is quoted if it begins with a quote; other quotes are text. Fields are None if a quote is never closed,
    or closed before the end of its field.

    >>> split_quoted('T1|"a|b ""c"" d"|10.00', "|")
    (['T1', 'a|b "c" d', '10.00'], False)
    >>> split_quoted('T1|"goes on', "|")
    (None, True)
    """
    mark = re.escape(delimiter)
    field = re.compile(rf'"([^"]*(?:""[^"]*)*)"(?={mark}|\Z)|((?:[^"\n{mark}][^\n{mark}]*)?)(?={mark}|\Z)')
    fields, position = [], 0
    while match := field.match(text, position):
        quoted, plain = match.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        if match.end() == len(text):
            return fields, False
        position = match.end() + 1
    return None, re.compile(r'"[^"]*(?:""[^"]*)*\Z').match(text, position) is not None


def most_unpacked(path: Path) -> int:
    """Bytes that a packed file may become: one that becomes more is no feed, but a fault or an attack."""
    return max(_UNPACKED_FREELY, _MOST_UNPACKED * path.stat().st_size)


class _TooLong(Exception):
    """A line is longer than what is held in memory, or a file unpacks to more than a feed can be."""


@dataclass(frozen=True)
class _Lines:
    """Decoded lines, and the indexes of those with bytes or characters that no column can hold."""

    texts: list[str]
    unreadable: set[int]


def _frame(path: Path, feed: Feed) -> Iterator[pa.RecordBatch]:
    """Whole lines, block by block; the lines of a record that may go on in the next block wait for it."""
    is_delimited = feed.format == "delimited"
    with path.open("rb") if is_delimited else gzip.open(path) as stream:
        row, carry, is_last, size = 1, b"", False, 0
        most = most_unpacked(path)
        while not is_last:
            block = stream.read(_BLOCK)
            is_last, size = not block, size + len(block)
            if size > most:
                raise _TooLong(f"unpacks to more than {most >> 20} MB: send it in several files")
            data = carry + block
            end = len(data) if is_last else data.rfind(b"\n") + 1
            data, carry = data[:end], data[end:]
            if len(carry) > _LONGEST_RECORD:
                raise _TooLong(f"a line from row {row} on is over {_LONGEST_RECORD} bytes: send it by its contract")
            if not data:
                continue
            has_quotes = is_delimited and b'"' in data
            if not has_quotes:
                data = data.replace(b"\r\n", b"\n")
            lines = _decode(data.removesuffix(b"\n"), feed)
            if row == 1:
                lines.texts[0] = "" if is_delimited else lines.texts[0].removeprefix("\ufeff")
            if has_quotes:
                batch, taken = _quoted(path, row, lines, feed, is_last)
                if taken < len(lines.texts):
                    carry = b"\n".join(data.split(b"\n")[taken:]) + carry
            else:
                batch, taken = _plain(path, row, lines), len(lines.texts)
            yield batch
            row += taken


def _decode(data: bytes, feed: Feed) -> _Lines:
    """Lines as text; what cannot be decoded is escaped, so that the quarantine can show it."""
    try:
        texts, unreadable = data.decode(feed.encoding).split("\n"), set()
    except UnicodeDecodeError:
        texts, unreadable = [], set()
        for index, line in enumerate(data.split(b"\n")):
            try:
                texts.append(line.decode(feed.encoding))
            except UnicodeDecodeError:
                texts.append(line.decode(feed.encoding, "backslashreplace"))
                unreadable.add(index)
    if b"\0" in data:
        unreadable |= {index for index, text in enumerate(texts) if "\0" in text}
        texts = [text.replace("\0", "\\x00") for text in texts]
    if feed.format != "delimited" and b"\\u0000" in data:
        unreadable |= {index for index, text in enumerate(texts) if _NUL_ESCAPE.search(text)}
    return _Lines(texts, unreadable)


def _plain(path: Path, row: int, lines: _Lines) -> pa.RecordBatch:
    """One record per line, none for a blank line."""
    filled = np.arange(len(lines.texts)) if all(lines.texts) else np.flatnonzero(lines.texts)
    texts = lines.texts if len(filled) == len(lines.texts) else [lines.texts[index] for index in filled]
    unreadable = lines.unreadable
    faults = ["invalid_encoding" if index in unreadable else None for index in filled] if unreadable else None
    return _batch(path, filled + row, texts, None, faults)


def _quoted(path: Path, row: int, lines: _Lines, feed: Feed, is_last: bool) -> tuple[pa.RecordBatch, int]:
    """Records of which some have quotes, and how many lines they take up.

    An opening quote that leads to no whole record spoils its line alone: the lines after it are read as records.
    """
    rows, texts, fields, faults = [], [], [], []
    index, count = 0, len(lines.texts)
    while index < count:
        text, span, values, fault = lines.texts[index].removesuffix("\r"), 1, None, None
        if '"' in text:
            text, span, values = _record(lines.texts, index, feed)
            if values is None and span == count - index and span < _MOST_LINES and not is_last:
                break
            if values is None or (span > 1 and len(values) != len(feed.sent_columns)):
                text, span, values, fault = lines.texts[index].removesuffix("\r"), 1, None, "wrong_column_count"
        if any(at in lines.unreadable for at in range(index, index + span)):
            fault = "invalid_encoding"
        if text:
            rows.append(row + index)
            texts.append(text)
            fields.append(values)
            faults.append(fault)
        index += span
    return _batch(path, rows, texts, fields, faults), index


def _record(texts: list[str], start: int, feed: Feed) -> tuple[str, int, list[str] | None]:
    """The record that begins at ``start``: its text, lines and fields; None instead of fields if quotes do not fit."""
    end, latest = start + 1, min(start + _MOST_LINES, len(texts))
    while True:
        text = "\n".join(texts[start:end]).removesuffix("\r")
        values, is_open = split_quoted(text, feed.delimiter)
        if not is_open or end == latest:
            return text, end - start, values
        end = next((at + 1 for at in range(end, latest) if _LONE_QUOTE.search(texts[at])), latest)


def _batch(
    path: Path,
    rows: list[int] | np.ndarray,
    texts: list[str],
    fields: list[list[str] | None] | None,
    faults: list[str | None] | None,
) -> pa.RecordBatch:
    size = len(rows)
    columns = [
        _names(path, size),
        pa.array(rows, pa.int64()),
        pa.array(texts, pa.string()),
        pa.array(fields, FRAMED.field("_fields").type) if fields else pa.nulls(size, FRAMED.field("_fields").type),
        pa.array(faults, pa.string()) if faults else pa.nulls(size, pa.string()),
    ]
    return pa.record_batch(columns, FRAMED)


def _names(path: Path, size: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(size, np.int32)), pa.array([path.name]))
