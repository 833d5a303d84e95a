"""Any delimited text file as a table of texts, every row of it held against the lines of the file.

Nothing is guessed that a reader would not see: the delimiter follows from the header and must divide every line
alike, the encoding from the bytes; where two answers fit, the caller is asked. A record with another number of fields
than the header, a header that comes again, a quote that is never closed stop the reading with their lines, so that a
table never has fewer rows than the file without a word. Messages name lines, never what stands in them.
"""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.errors import Stop
from lakehouse.ingestion.encodings import another_encoding

DELIMITERS = (",", ";", "\t", "|")
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "blank"}
MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
GZIP = b"\x1f\x8b"
NO_TEXT = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook: save the table as CSV",
    b"\xd0\xcf\x11\xe0": "an Excel workbook: save the table as CSV",
    b"PAR1": "a Parquet file: name it .parquet",
    b"%PDF": "a PDF document: export the table as CSV",
}
SPOKEN = {name: mark for mark, name in NAMES.items()} | {"\\t": "\t", "pipe": "|"}  # as a person may give one
SAMPLE = 200  # records by which the delimiter is found
BLOCK = 20_000  # records
SHOWN = 5  # lines that a message names
LONGEST_FIELD = 1 << 20  # characters


@dataclass(frozen=True)
class Delimited:
    """The rows of a file, as text, and where they stand in it."""

    table: pa.Table  # of strings, without blanks around them; null where a field is empty
    lines: np.ndarray  # (n,) the line on which each row begins, from 1
    delimiter: str
    encoding: str
    notes: tuple[str, ...]  # what was found, and what is in the file but in no row


@dataclass(frozen=True)
class _Record:
    line: int  # on which it begins
    last: int  # on which it ends
    fields: list[str]


def counted(count: int, noun: str, nouns: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(2_000, "row"), counted(2, "delivery", "deliveries")
    ('1 row', '2,000 rows', '2 deliveries')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def named_lines(lines: Sequence[int] | np.ndarray, noun: str = "line") -> str:
    """Some lines by number, and how many more there are.

    >>> named_lines([7]), named_lines([1, 2, 3, 4, 5, 9, 12], "row")
    ('line 7', 'rows 1, 2, 3, 4, 5 and 2 more')
    """
    more = f" and {len(lines) - SHOWN:,} more" if len(lines) > SHOWN else ""
    return f"{noun}{'' if len(lines) == 1 else 's'} {', '.join(str(line) for line in lines[:SHOWN])}{more}"


def read_delimited(path: Path, delimiter: str | None = None, encoding: str | None = None) -> Delimited:
    """Every row of a file with a header; packed by gzip or not, whatever its name.

    Parameters
    ----------
    path
        The file. Lines that begin with ``#`` above the header are comments; blank lines are no rows. Both are told.
    delimiter, encoding
        By default found in the file: one of `DELIMITERS` that divides all records alike; UTF-8, or what a byte order
        mark says.

    Raises
    ------
    Stop
        If it is no such file, or a line does not fit; the message names lines and remedy.
    """
    if not path.is_file():
        raise Stop(f"{path}: no such file")
    encoding = _encoding(path, encoding)
    with _bytes(path) as lines:
        other = another_encoding(lines, encoding)
    comments, mark = _above_the_header(path, encoding)
    if delimiter is None:
        delimiter = mark or _delimiter(path, encoding, len(comments))
    delimiter = SPOKEN.get(delimiter, delimiter)
    records = _records(path, encoding, delimiter, len(comments))
    header = next(records, None)
    if header is None:
        raise Stop(f"{path}: no line with the names of columns", "send a file with a header and rows")
    names = _names(path, header)
    table, lines, blank, remarks = _rows(path, names, records)
    table, notes = _without_nameless(table, len(header.fields))
    if other:
        notes.append(f"read in {encoding}, but it looks written in {other}")
    if comments:
        notes.append(f"above the header, so not read: {named_lines([line for line, _ in comments])}")
    if remarks:
        notes.append(f"comments that begin with #, so not read: {named_lines(remarks)}")
    if blank:
        notes.append(f"blank, so no row: {named_lines(blank)}")
    return Delimited(table, lines, delimiter, encoding, tuple(notes))


def describe(read: Delimited) -> str:
    """How the file was read, in words."""
    encoding = "UTF-8" if read.encoding.startswith("utf-8") else read.encoding.upper()
    name = NAMES.get(read.delimiter, repr(read.delimiter))
    return f"{counted(len(read.lines), 'row')}, divided by {name}, in {encoding}"


def _bytes(path: Path) -> io.BufferedReader | gzip.GzipFile:
    with path.open("rb") as file:
        is_packed = file.read(2) == GZIP
    return gzip.open(path) if is_packed else path.open("rb")


def _open(path: Path, encoding: str) -> TextIO:
    return io.TextIOWrapper(_bytes(path), encoding=encoding, newline="")


def _encoding(path: Path, named: str | None) -> str:
    """The named one; or by the byte order mark; otherwise UTF-8, which every line must be.

    UTF-8 read as another encoding gives nonsense without an error, so a file with multi-byte UTF-8 is nothing else.
    """
    found = _unnamed_encoding(path, must_be_utf8=named is None)
    if named is None:
        return found or "utf-8"
    try:
        is_utf8 = codecs.lookup(named).name.startswith("utf-8")
    except LookupError as error:
        raise Stop(f"{path}: there is no encoding {named}", "name one such as utf-8 or gb18030") from error
    if found in ("utf-8", "utf-8-sig") and not is_utf8:
        raise Stop(f"{path}: is in UTF-8, not in {named}", "leave the encoding out")
    return found if found == "utf-8-sig" else named


def _unnamed_encoding(path: Path, must_be_utf8: bool) -> str | None:
    """What the bytes say: ``utf-16``, ``utf-8-sig``, ``utf-8`` (with more than ASCII in it), or None for ASCII."""
    line = 1
    try:
        with _bytes(path) as file:
            start = file.read(1 << 16)
            for magic, remedy in NO_TEXT.items():
                if start.startswith(magic):
                    raise Stop(f"{path}: no delimited text, but {remedy}")
            marked = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
            if marked == "utf-16":
                return marked
            block, is_ascii = start + file.readline(), True
            while block:
                if must_be_utf8 and b"\0" in block:
                    line += block[: block.index(b"\0")].count(b"\n")
                    raise Stop(f"{path}: line {line} holds zero bytes", "send text, or name the file's encoding")
                try:
                    block.decode("utf-8")
                    is_ascii = is_ascii and block.isascii()
                except UnicodeDecodeError as error:
                    if not must_be_utf8:
                        return None
                    line += block[: error.start].count(b"\n")
                    raise Stop(
                        f"{path}: line {line} is not in UTF-8",
                        "name the file's encoding (--encoding, or `reading: {encoding: ...}` in a task file), "
                        "for instance gb18030 or cp1252",
                    ) from error
                line += block.count(b"\n")
                block = file.read(1 << 22) + file.readline()
    except (OSError, EOFError, zlib.error) as error:
        raise Stop(f"{path}: cannot be read: {_why(error)}", "send the file again whole") from error
    return marked or (None if is_ascii else "utf-8")


def _why(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else f"broken gzip stream ({error})"


def _above_the_header(path: Path, encoding: str) -> tuple[list[tuple[int, str]], str | None]:
    """Lines above the header that are none of the table, and the delimiter that a line ``sep=;`` of Excel names."""
    above: list[tuple[int, str]] = []
    mark = None
    with _text(path, encoding) as file:
        for number, line in enumerate(file, 1):
            text = line.strip().removeprefix("\ufeff")
            if text.lower().startswith("sep=") and len(text) == len("sep=;"):
                mark = text[-1]
            elif text and not text.startswith("#"):
                break
            above.append((number, text))
    # A header may begin with "#": it is one where the lines under it are divided alike, and no comment is.
    while mark is None and above and not _is_comment(path, encoding, above):
        above.pop()
    return above, mark


def _is_comment(path: Path, encoding: str, above: list[tuple[int, str]]) -> bool:
    last = above[-1][1]
    if not last:
        return True
    with _text(path, encoding) as file:
        below = next((line for line in islice(file, len(above), None) if line.strip()), "")
    return not any(last.count(mark) and last.count(mark) == below.count(mark) for mark in DELIMITERS)


class _Text:
    """A file's text; what cannot be decoded or unpacked stops with the file's name."""

    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.file = path, _open(path, encoding)

    def __enter__(self) -> Iterator[str]:
        return self._lines()

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _lines(self) -> Iterator[str]:
        read = 0
        try:
            for line in self.file:
                yield line.replace("\0", "\ufffd")
                read += 1
        except UnicodeError as error:
            where = f"after line {read}"
            raise Stop(f"{self.path}: not in {self.file.encoding}: {where}", "name the file's encoding") from error
        except (OSError, EOFError, zlib.error) as error:
            raise Stop(f"{self.path}: cannot be read: {_why(error)}", "send the file again whole") from error


def _text(path: Path, encoding: str) -> _Text:
    return _Text(path, encoding)


def _delimiter(path: Path, encoding: str, skipped: int) -> str:
    """The one that divides the header, and the records after it alike."""
    with _text(path, encoding) as file:
        lines = list(islice(file, skipped, skipped + SAMPLE))
    if not lines:
        return ","
    lines[0] = lines[0].removeprefix("\ufeff")
    widths = {mark: _widths(lines, mark) for mark in DELIMITERS}
    divided = {mark: found for mark, found in widths.items() if found and found[0] > 1}
    if not divided:
        return ","  # a table of one column
    alike = {mark: np.mean(np.array(found) == found[0]) for mark, found in divided.items()}
    best = max(alike, key=lambda mark: (alike[mark], divided[mark][0]))
    others = [mark for mark in alike if mark != best and alike[mark] == alike[best] == 1 and len(lines) > 1]
    if others:
        fitting = " and ".join(NAMES[mark] for mark in (best, *others))
        raise Stop(
            f"{path}: {fitting} divide its lines alike",
            "name the delimiter (--delimiter, or `reading: {delimiter: ...}` in a task file)",
        )
    return best


def _widths(lines: list[str], mark: str) -> list[int]:
    """Numbers of fields of the records; what a sample cuts off does not count."""
    try:
        records = list(csv.reader(lines, delimiter=mark))
    except csv.Error:
        return [len(line.split(mark)) for line in lines if line.strip()]
    return [len(record) for record in (records[:-1] if len(lines) == SAMPLE else records) if record]


def _records(path: Path, encoding: str, delimiter: str, skipped: int) -> Iterator[_Record]:
    """The records below what stands above the header; a blank line has no fields."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise Stop(f"{path}: {delimiter!r} is no delimiter", "name one character")
    largest = csv.field_size_limit(LONGEST_FIELD)
    with _text(path, encoding) as file:
        lines = islice(file, skipped, None)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        line = skipped + 1
        try:
            for fields in reader:
                last = skipped + reader.line_num
                yield _Record(line, last, fields)
                line = last + 1
        except csv.Error as error:
            last = skipped + reader.line_num
            if "unexpected end" in str(error) or "field limit" in str(error):
                problem = f"a quote that line {line} opens is never closed"
            else:
                problem = f"line {last}: a closing quote within a field"
                problem += f" (the field begins in line {line})" if last > line else ""
            raise Stop(f"{path}: {problem}", "double the quotes within a field, and close it") from error
        finally:
            csv.field_size_limit(largest)


def _names(path: Path, header: _Record) -> list[str]:
    """Names of the columns; one without a name is called by its place."""
    names = [name.removeprefix("\ufeff").strip() for name in header.fields]
    where = f"{path}: line {header.line}"
    if sum(_is_number(name) for name in names) * 2 >= max(1, sum(map(bool, names))):
        raise Stop(f"{where} holds numbers, no names of columns", "put a header on top")
    if twice := sorted({name for name in names if name and names.count(name) > 1}):
        raise Stop(f"{where} names {', '.join(twice)} twice", "give every column a name of its own")
    return [name or f"column {place}" for place, name in enumerate(names, 1)]


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _rows(
    path: Path, names: list[str], records: Iterator[_Record]
) -> tuple[pa.Table, np.ndarray, list[int], list[int]]:
    """The rows and the lines on which they begin; blank lines; comments. Every record has the header's fields."""
    schema = pa.schema([(name, pa.string()) for name in names])
    width, blocks, begins, block = len(names), [], [], []
    blank: list[int] = []
    comments: list[int] = []
    uneven: list[tuple[int, int]] = []
    last = 0
    for record in records:
        fields, last = record.fields, record.last
        if len(fields) == width:
            if record.last > record.line:
                _refuse_swallowed(path, record, width)
            if fields[0].strip() == names[0] and [field.strip() for field in fields] == names:
                raise Stop(
                    f"{path}: line {record.line} is the header once more: two exports in one file",
                    "send them as two files, or take the line out",
                )
            block.append(fields)
            begins.append(record.line)
            if len(block) == BLOCK:
                blocks.append(_block(block, schema))
                block = []
        elif not any(map(str.strip, fields)):
            blank.append(record.line)
        elif not fields[0].strip("# ") or fields[0].startswith(("# ", "##")):  # "#17" may be a key cut off
            comments.append(record.line)
        else:
            uneven.append((record.line, len(fields)))
    if uneven:
        raise _uneven(path, width, uneven, last, len(begins))
    blocks.append(_block(block, schema))
    return pa.concat_tables(blocks), np.array(begins, dtype=np.int64), blank, comments


def _block(rows: list[list[str]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    trimmed = [pc.utf8_trim_whitespace(pa.array(column, pa.string())) for column in columns]
    empty = pa.scalar(None, pa.string())
    return pa.table([pc.if_else(pc.equal(texts, ""), empty, texts) for texts in trimmed], schema)


def _refuse_swallowed(path: Path, record: _Record, width: int) -> None:
    """Stop if a quoted field over several lines holds what looks like rows: its quote was left open."""
    if width < 3:
        return
    inner = [line for field in record.fields if "\n" in field for line in field.splitlines()[1:-1]]
    if any(line.count(mark) == width - 1 for line in inner for mark in DELIMITERS):
        raise Stop(
            f"{path}: a quote that line {record.line} opens is closed in line {record.last} only, over what looks like "
            "rows",
            "close it where its field ends",
        )


def _uneven(path: Path, width: int, uneven: list[tuple[int, int]], last: int, good: int) -> Stop:
    """What the lines with another number of fields look like: a second export, a footer, slips."""
    first, found = uneven[0]
    header = counted(width, "field")
    if len(uneven) == 1:
        kind = ": a footer?" if first == last and found < width else ""
        return Stop(
            f"{path}: line {first} has {counted(found, 'field')}, the header has {header}{kind}",
            "mend the line, or take it out",
        )
    if {size for _, size in uneven} == {found} and uneven[-1][0] == last and last - first < 2 * len(uneven):
        return Stop(
            f"{path}: from line {first} on, lines have {counted(found, 'field')}, the header has {header}: "
            f"{counted(good, 'row')} before, {counted(len(uneven), 'row')} from there on",
            "send two exports as two files, or all rows with the same columns",
        )
    shown = ", ".join(f"line {line} ({size})" for line, size in uneven[:SHOWN])
    more = f" and {len(uneven) - SHOWN:,} more" if len(uneven) > SHOWN else ""
    return Stop(
        f"{path}: {counted(len(uneven), 'line')} have another number of fields than the header's {width}: "
        f"{shown}{more}",
        "mend the lines; a field that holds the delimiter stands in quotes",
    )


def _without_nameless(table: pa.Table, width: int) -> tuple[pa.Table, list[str]]:
    """Without columns that have neither a name nor a value: a delimiter at the end of every line."""
    empty = [name for place, name in enumerate(table.column_names, 1) if _is_nameless(table, name, place)]
    if not empty or len(empty) == width:
        return table, []
    return table.drop_columns(empty), [f"without a name and always empty, so not read: {', '.join(empty)}"]


def _is_nameless(table: pa.Table, name: str, place: int) -> bool:
    return name == f"column {place}" and table.column(name).null_count == len(table)
