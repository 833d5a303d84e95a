"""The day's own personal data as canaries: no table that is about to be published holds one, and no page.

Names, documents, phones, e-mails, addresses and numbers are taken as they came in the newest deliveries. All of them
are held against whole cells; a sample of every personal column, and of refused rows, is looked for within every text.
What its column is called does not matter. What has too little form to be told from any other text is no canary: numbers
of fewer than seven digits, single Latin words.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

import duckdb
import pyarrow as pa

from lakehouse.contracts import load_feeds
from lakehouse.lake import Outcome, Pin, pin
from lakehouse.settings import PROJECT, Settings
from lakehouse.sql import identifier, literal
from lakehouse.warehouse.publication import CannotPublish, Columns, Model

SAMPLE = 10  # values of each personal column
BETWEEN = "\x1f"  # the columns of a row, in one text
_WRITINGS = ("０１２３４５６７８９－　 -().", "0123456789")  # as one number is written: the rest is left out
_DIGITS = str.maketrans(_WRITINGS[0][:10], _WRITINGS[1])
_SQUEEZED = _DIGITS | dict.fromkeys(map(ord, _WRITINGS[0][10:]))
_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
_LEAST_DIGITS, _LONG_NUMBER, _LEAST_TEXT = 7, 10, 8
_SIEVED = 20  # characters: many long ones would not fit into the automaton of a pattern
_MOST_FOUND = 1000  # texts that are looked at one by one
_END_BYTES = 2_000_000  # of a page that are read
_TOGETHER_BYTES = 32_000_000  # of texts: a table alone may have more

Texts = Callable[[Sequence[str]], pa.Table]  # of columns: the texts of each row in one, column `text`


@dataclass(frozen=True)
class Canary:
    """A personal value, and the column of a feed in which it came."""

    source: str
    value: str

    @cached_property
    def needle(self) -> str:
        """The end of how it looks in a squeezed text: a first, cheap sieve."""
        return _squeezed(_compact(self.value) if _is_number(self.value) else self.value)[-_SIEVED:]

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """What it looks like in any text; None: nothing that could be told from another text."""
        return _pattern(self.value.strip())

    def is_in(self, text: str) -> bool:
        return self.pattern is not None and self.pattern.search(text.translate(_DIGITS)) is not None


class Canaries:
    """The canaries of one publication."""

    def __init__(self, settings: Settings, business_date: date) -> None:
        self._settings, self._pin = settings, pin(settings.lake, business_date)
        self._con = duckdb.connect()
        self._canaries = _sampled(self._con, settings.lake, self._pin)
        _create_personal(self._con, settings.lake, self._pin)
        self._real: set[Canary] = set()  # found, and not by chance

    def check_tables(self, tables: Iterable[tuple[Model, Columns, Texts]]) -> None:
        """Refuse tables of which one shows a canary; small ones are looked at together.

        Raises
        ------
        CannotPublish
            The message names table, column and the source of the value, not the value.
        """
        waiting: list[tuple[Model, Columns, Texts]] = []
        rows: list[pa.Table] = []
        for model, columns, texts in tables:
            if names := _text_columns(columns):
                waiting.append((model, columns, texts))
                rows.append(texts(names))
            if sum(part.nbytes for part in rows) > _TOGETHER_BYTES:
                self._check_together(waiting, pa.concat_tables(rows))
                waiting, rows = [], []
        if rows:
            self._check_together(waiting, pa.concat_tables(rows))

    def _check_together(self, tables: list[tuple[Model, Columns, Texts]], rows: pa.Table) -> None:
        if self._shown(rows) is None:
            return
        for model, columns, texts in tables:
            self.check_table(model, columns, texts)

    def check_table(self, model: Model, columns: Columns, texts: Texts) -> None:
        """Refuse a table that shows one.

        Raises
        ------
        CannotPublish
            The message names table, column and the source of the value, not the value.
        """
        names = _text_columns(columns)
        if not names or (canary := self._shown(texts(names))) is None:
            return
        shown = next((name for name in names if self._shown(texts([name]))), names[0])
        raise CannotPublish(
            f"{model.full_name}, column {shown}, shows personal data: a value that came in {canary.source}",
            "publish a token or nothing; where it came by chance, the text is in no source that is not personal",
        )

    def check_files(self, since: float) -> None:
        """Refuse to publish while a page that was written since then (seconds, Unix time) shows one.

        Runs write no other files that people read: messages are in ``ops``, which is published as tables.

        Raises
        ------
        CannotPublish
            The message names the file and the source of the value, not the value.
        """
        pages = (self._settings.lake.parent / "data_docs").rglob("*.html")
        lines = {
            path: path.read_bytes()[-_END_BYTES:].decode(errors="replace").splitlines()
            for path in sorted(pages)
            if path.stat().st_mtime >= since
        }
        if not self._written(chain.from_iterable(lines.values())):
            return
        for path, texts in lines.items():
            if canary := self._written(texts):
                raise CannotPublish(
                    f"{path} shows personal data: a value that came in {canary.source}",
                    "remove the file, and mend what wrote it",
                )

    def _written(self, lines: Iterable[str]) -> Canary | None:
        """A canary within a line."""
        self._take(pa.table({"text": pa.array(lines, pa.string())}))
        return self._found()

    def _shown(self, rows: pa.Table) -> Canary | None:
        self._take(rows)
        return self._whole_cell() or self._found()

    def _take(self, rows: pa.Table) -> None:
        """Look at the cells of these rows from now on, each once: to squeeze a text takes longer than to look at it."""
        self._con.register("rows", rows)
        self._con.execute(
            f"create or replace temp table cells as "
            f"select cell, {_squeezing('cell')} as squeezed from ({_cells('rows')}) where cell is not null"
        )
        self._con.unregister("rows")

    def _whole_cell(self) -> Canary | None:
        """A cell that is one of all the day's personal values, and not by chance."""
        equal = self._con.sql(
            "select distinct personal.* from cells inner join personal using (squeezed) order by all"
        ).to_arrow_table()
        if not equal.num_rows:
            return None
        if seen := next((canary for canary in _canaries(equal) if canary in self._real), None):
            return seen
        for canary in _canaries(self._not_plain(equal)):
            if canary.pattern and not _is_own(canary):
                self._real.add(canary)
                return canary
        self._con.register("equal", equal)  # all of it comes by chance, in other tables, too
        self._con.execute("delete from personal where squeezed in (select squeezed from equal)")
        self._con.unregister("equal")
        return None

    def _not_plain(self, equal: pa.Table) -> pa.Table:
        """Those of the values that are no cell of a column that is not personal."""
        for plain in self._plain_texts():
            if not equal.num_rows:
                break
            self._con.register("equal", equal)
            equal = self._con.sql(
                f"select * from equal where squeezed not in (select {_squeezing('cell')} from ({_cells(plain)})) "
                "order by all"
            ).to_arrow_table()
            self._con.unregister("equal")
        return equal

    def _found(self) -> Canary | None:
        """The first canary that stands in one of the cells, and not by chance."""
        while self._canaries:
            by_chance = set()
            for canary in sorted(self._seen(), key=lambda canary: (canary.source, canary.value)):
                if canary not in self._real and self._is_known_otherwise(canary):
                    by_chance.add(canary)
                    continue
                self._real.add(canary)
                return canary
            if not by_chance:
                return None
            self._canaries -= by_chance
        return None

    def _seen(self) -> set[Canary]:
        """Canaries that stand in one of the cells: of the first part of the cells in which one does."""
        needles = "|".join(sorted({re.escape(canary.needle) for canary in self._canaries}))
        sieved = self._con.execute(
            "select cell, squeezed from cells where regexp_matches(squeezed, $1) order by cell", [needles]
        )
        while cells := sieved.fetchmany(_MOST_FOUND):
            pairs = ((cell, canary) for cell, text in cells for canary in self._canaries if canary.needle in text)
            if found := {canary for cell, canary in pairs if canary.is_in(cell)}:
                return found
        return set()

    def _is_known_otherwise(self, canary: Canary) -> bool:
        """Whether the same text also comes in a column that is not personal, or stands in the project's own texts."""
        if _is_own(canary):
            return True
        for plain in self._plain_texts():
            rows = self._con.execute(
                f"select distinct text from {plain} where contains(text, $1) limit {_MOST_FOUND}",
                [canary.value.strip()],
            ).fetchall()
            if any(canary.is_in(text) for (text,) in rows):
                return True
        return False

    def _plain_texts(self) -> Iterator[str]:
        """SQL of what columns that are not personal hold, a row in one ``text``: first in the newest deliveries.

        What is published of a day came with it, mostly: then the cost does not grow with history.
        """
        outcomes = {name: [item.outcome for item in self._pin.of(name)] for name in load_feeds()}
        newest = {name: _newest(of_feed) for name, of_feed in outcomes.items()}
        earlier = {name: [one for one in of_feed if one not in newest[name]] for name, of_feed in outcomes.items()}
        for chosen in (newest, earlier):
            for feed in load_feeds().values():
                plain = [column.name for column in feed.columns if not column.is_pii and column.type == "varchar"]
                files = [str(outcome.rows_path(self._settings.lake)) for outcome in chosen[feed.name]]
                if plain and files:
                    yield (
                        f"(select concat_ws({literal(BETWEEN)}, {', '.join(map(identifier, plain))}) as text from "
                        f"read_parquet([{', '.join(map(literal, files))}], union_by_name = true))"
                    )


@cache
def _own_texts() -> tuple[str, ...]:
    """What the code itself may write, with plain digits: seeds, models, phrases."""
    folders = (PROJECT / name for name in ("dbt_project", "expectations", "lakehouse", "ml_jobs"))
    files = (path for folder in folders for path in folder.rglob("*") if path.suffix in (".csv", ".sql", ".yml", ".py"))
    return tuple(path.read_text().translate(_DIGITS) for path in files)


def _canaries(values: pa.Table) -> Iterator[Canary]:
    return (Canary(row["source"], row["value"]) for row in values.to_pylist())


def _is_own(canary: Canary) -> bool:
    return canary.pattern is not None and any(canary.pattern.search(text) for text in _own_texts())


def _text_columns(columns: Columns) -> list[str]:
    return [name for name, type_ in columns if type_.lower().startswith(("varchar", "text", "char", "json"))]


def _create_personal(con: duckdb.DuckDBPyConnection, lake: Path, known: Pin) -> None:
    """Make the table ``personal``: every value of the personal columns of the newest deliveries, and its source."""
    selects = [
        f"select {literal(f'{feed.name}.{column.name}')} as source, {identifier(column.name)} as value "
        f"from read_parquet({literal(str(outcome.rows_path(lake)))})"
        for feed in load_feeds().values()
        for outcome in _newest(item.outcome for item in known.of(feed.name))
        for column in feed.columns
        if column.is_pii and column.type == "varchar"
    ]
    values = " union all ".join(selects) or "select '' as source, '' as value"
    con.execute(
        f"create temp table personal as select distinct source, value, {_squeezing('value')} as squeezed "
        f"from ({values}) where length(trim(value)) > 1"
    )


def _sampled(con: duckdb.DuckDBPyConnection, lake: Path, known: Pin) -> set[Canary]:
    """Some values of every personal column of the newest deliveries, and some refused rows; the same for the same."""
    selects = []
    for feed in load_feeds().values():
        newest = _newest(item.outcome for item in known.of(feed.name))
        refused = _newest(
            outcome
            for outcome in (*known.rejected, *(item.outcome for item in known.of(feed.name)))
            if outcome.feed == feed.name and outcome.quarantine_file
        )
        private = [column.name for column in feed.columns if column.is_pii and column.type == "varchar"]
        for outcome in newest:
            selects += [_sample(f"{feed.name}.{name}", name, outcome.rows_path(lake)) for name in private]
        for outcome in refused:
            selects.append(_sample(f"refused rows of {feed.name}", "raw_text", lake / str(outcome.quarantine_file)))
    if not selects:
        return set()
    rows = con.execute(" union all ".join(selects)).fetchall()
    canaries = (Canary(source, value) for source, value in rows)
    return {canary for canary in canaries if canary.pattern is not None}


def _newest(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Those with the latest cut-off."""
    outcomes = list(outcomes)
    last = max((outcome.cutoff_date for outcome in outcomes), default=None)
    return [outcome for outcome in outcomes if outcome.cutoff_date == last]


def _sample(source: str, column: str, path: Path) -> str:
    name = identifier(column)
    return (
        f"(select {literal(source)}, value from (select distinct {name} as value from read_parquet("
        f"{literal(str(path))}) where {name} is not null) order by md5(value) limit {SAMPLE})"
    )


def _cells(rows: str) -> str:
    """SQL: the cells of the rows that have all of theirs in one ``text``, each once."""
    return f"select distinct unnest(string_split(text, {literal(BETWEEN)})) as cell from {rows}"


def _squeezing(column: str) -> str:
    """SQL: the text in small letters, without what separates the digits of a number."""
    return f"translate(lower({column}), {literal(_WRITINGS[0])}, {literal(_WRITINGS[1])})"


def _squeezed(text: str) -> str:
    """As the SQL of `_squeezing` has it."""
    return text.lower().translate(_SQUEEZED)


def _compact(value: str) -> str:
    """A number without what separates its digits, nor the country's prefix of a Chinese phone."""
    return re.sub(r"^(?:00)?86(?=1[0-9]{10}$)", "", re.sub(r"[\s().+-]", "", value.translate(_DIGITS)))


def _is_number(value: str) -> bool:
    text = _compact(value)
    digits = sum(letter.isdigit() for letter in text)
    return text.isascii() and text.isalnum() and len(text) >= _LEAST_DIGITS and 2 * digits >= len(text)


def _pattern(value: str) -> re.Pattern[str] | None:
    if "@" in value:
        return re.compile(rf"(?<![\w.+-]){re.escape(value)}(?![\w-])", re.IGNORECASE)
    if _is_number(value):
        number = _compact(value)
        written = "[ ().-]?".join(map(re.escape, number))
        if number.isdigit() and len(number) >= _LONG_NUMBER:  # letters may touch it: hardly any other text has it
            return re.compile(rf"(?<![0-9])(?:(?:00)?86[ -]?)?{written}(?![0-9])")
        return re.compile(rf"(?<![0-9A-Za-z]){written}(?![0-9A-Za-z])", re.IGNORECASE)
    if re.fullmatch(rf"[{_HAN}]{{2}}", value):  # two characters are part of many words
        return re.compile(rf"(?<![{_HAN}]){value}(?![{_HAN}])")
    written = r"\s*".join(map(re.escape, value.translate(_DIGITS).split()))
    if re.search(f"[{_HAN}]", value):
        is_name = re.fullmatch(rf"[{_HAN}·]{{3,}}", value) is not None
        return re.compile(written, re.IGNORECASE) if is_name or len(value) >= _LEAST_TEXT else None
    if len(value.split()) > 1 and len(value) >= _LEAST_DIGITS:
        return re.compile(rf"(?<!\w){written}(?!\w)", re.IGNORECASE)
    return None
