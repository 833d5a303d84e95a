"""Rows of people who were erased, as SQL: what is dropped, blanked or given a pseudonym.

One expression for files in the lake and for what comes in: an old file that is sent again ends as the erasure left it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from lakehouse.contracts import ACCOUNT_NUMBERS, CARD_NUMBERS, Column, Feed
from lakehouse.ingestion import rules
from lakehouse.lake import appearing
from lakehouse.lake.erasures import ERASED, PSEUDONYM, PSEUDONYM_DIGITS, ErasureKey, entries_of, read_erasures
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row

_WORD, _HAN = re.compile(r"[^\W_][\w.@+-]*"), re.compile("[㐀-鿿]+")
_MOST_WORDS, _LONGEST_NAME = 3, 6


@dataclass(frozen=True)
class Effect:
    """What became of the rows of one file."""

    rows_dropped: int
    rows_blanked: int
    control_sums: Mapping[str, str]  # of the dropped rows


class Erased:
    """The list of who was erased, as a connection knows it; empty where nobody was."""

    def __init__(self, con: duckdb.DuckDBPyConnection, key: ErasureKey | None, entries: Mapping[str, tuple[str, ...]]):
        self._con, self._key = con, key
        self._entries = {kind: listed for kind, listed in entries.items() if listed}
        if key and self._entries:
            rules.create_token_macro(con, key.entries_secret, "entry")

    @classmethod
    def of(cls, con: duckdb.DuckDBPyConnection, settings: Settings) -> "Erased":
        """The list in the lake; ``con`` has the macro ``token``."""
        erasures = read_erasures(settings.lake)
        return cls(con, ErasureKey.of(settings.lake) if erasures else None, entries_of(erasures))

    def __bool__(self) -> bool:
        return bool(self._entries)

    def rewrite(
        self, feed: Feed, path: Path, target: Path | None = None, in_text: Callable[[str], str] | None = None
    ) -> Effect | None:
        """Write a feed's lake file anew, if it has rows of people who were erased; None, and nothing is, if not.

        Parameters
        ----------
        target : Path, optional
            By default its place.
        in_text : callable, optional
            Gives a free text without the person; by default what the list can tell: names, words and numbers in it.
        """
        if not self:
            return None
        names = [field.name for field in pq.read_schema(path)]
        source = f"read_parquet({literal(str(path))}, hive_partitioning = false)"
        owns, texts = self._owns(feed), self._texts(feed, names, source, in_text or self._without_names)
        is_dropped = owns if feed.erasure and feed.erasure.drops_rows else "false"
        named = [f"{identifier(name)} in ({', '.join(map(literal, others))})" for name, others in texts.items()]
        is_touched = " or ".join([self._touches(feed), *(f"coalesce({condition}, false)" for condition in named)])
        dropped, blanked = only_row(
            self._con.execute(
                f"select count(*) filter (where is_dropped), count(*) filter (where is_touched and not is_dropped) "
                f"from (select {is_dropped} as is_dropped, {is_touched} as is_touched from {source})"
            )
        )
        if not (dropped or blanked):
            return None
        sums = ", ".join(["count(*)", *(f"coalesce(sum({identifier(name)}), 0)" for name in feed.control_sums)])
        _, *totals = only_row(self._con.execute(f"select {sums} from {source} where {is_dropped}"))
        with appearing(target or path) as written:
            self._con.execute(
                f"copy (select {', '.join(self._columns(feed, names, owns, texts))} from {source} "
                f"where not ({is_dropped})) to {literal(str(written))} "
                "(format parquet, compression zstd, compression_level 1)"
            )
        stated = dict(zip(feed.control_sums, map(str, totals), strict=True)) if dropped else {}
        return Effect(dropped, blanked, stated)

    def count(self, feed: Feed, rows: str) -> int:
        """Rows of the SQL ``rows``, which has the columns of the feed's lake files, in which something would change."""
        if not self:
            return 0
        return only_row(self._con.execute(f"select count(*) from {rows} where {self._touches(feed)}"))[0]

    def is_about(self, feed: Feed) -> str:
        """SQL over a feed's columns as they came: whether a row is about somebody who was erased."""
        return self._owns(feed)

    def is_listed(self, kind: str, column: Column) -> str:
        """SQL: whether a column as it came holds a number of somebody who was erased."""
        return self._in(kind, rules.normalised(column))

    def is_named(self, judged: str) -> str:
        """SQL that is true of a bad row in ``judged`` that holds a number or text of somebody who was erased.

        A bad row may have its fields in the wrong places, so each is looked at, as every kind, in every writing.
        """
        if not self:
            return "false"
        pieces = (
            f"coalesce({judged}._values, string_split(regexp_replace({judged}._text, '[|,;\\t\"]', '|', 'g'), '|'))"
        )
        writings = (
            "trim(piece)",
            "lower(trim(piece))",
            "upper(trim(piece))",
            "regexp_replace(piece, '[^0-9]', '', 'g')",
        )
        found = [
            self._in(kind, writing)
            for kind in self._entries
            for writing in (writings if kind == "value" else writings[:1])
        ]
        return f"coalesce(list_bool_or(list_transform({pieces}, lambda piece: {' or '.join(found)})), false)"

    def _in(self, kind: str, value: str) -> str:
        """SQL: whether a value is in the list."""
        listed = ", ".join(map(literal, self._entries.get(kind, ())))
        return f"coalesce(entry({literal(f'{kind}:')} || {value}) in ({listed}), false)" if listed else "false"

    def _owns(self, feed: Feed) -> str:
        """SQL: whether a row is about somebody who was erased."""
        by = feed.erasure.by.items() if feed.erasure else ()
        return " or ".join(self._in(kind, rules.normalised(_column(feed, name))) for name, kind in by) or "false"

    def _touches(self, feed: Feed) -> str:
        """SQL: whether anything in a row changes."""
        owns = self._owns(feed)
        blank = feed.erasure.blank if feed.erasure else ()
        filled = " or ".join(f"{identifier(name)} is not null" for name in blank)
        numbers = [
            self._in("account_no" if column.name in ACCOUNT_NUMBERS else "card_no", rules.normalised(column))
            for column in feed.columns
            if column.name in (*ACCOUNT_NUMBERS, *CARD_NUMBERS)
        ]
        parts = [*numbers, *([f"(({owns}) and ({filled}))"] if filled and owns != "false" else [])]
        if feed.erasure and feed.erasure.drops_rows:
            parts.append(owns)
        return " or ".join(parts) or "false"

    def _texts(
        self, feed: Feed, names: list[str], source: str, in_text: Callable[[str], str]
    ) -> dict[str, dict[str, str]]:
        """Column -> free text that names somebody who was erased -> the text without."""
        found = {}
        for name in feed.erasure.texts if feed.erasure else ():
            if name not in names:
                continue
            rows = self._con.execute(f"select distinct {identifier(name)} from {source}").fetchall()
            others = {text: in_text(text) for (text,) in rows if text}
            if changed := {text: other for text, other in others.items() if other != text}:
                found[name] = changed
        return found

    def _without_names(self, text: str) -> str:
        """A free text without what is listed: single words, neighbours, and any few Chinese characters."""
        listed = frozenset(self._entries.get("value", ()))
        words = list(_WORD.finditer(text))
        spans = {(one.start(), last.end()) for at, one in enumerate(words) for last in words[at : at + _MOST_WORDS]}
        for run in _HAN.finditer(text):
            places = range(run.start(), run.end())
            spans |= {
                (at, at + size) for at in places for size in range(2, _LONGEST_NAME + 1) if at + size <= run.end()
            }
        for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
            piece = text[start:end]
            if self._key and any(self._key.entry("value", one) in listed for one in {piece, piece.lower()}):
                return self._without_names(text.replace(piece, ERASED))
        return text

    def _columns(self, feed: Feed, names: list[str], owns: str, texts: Mapping[str, Mapping[str, str]]) -> list[str]:
        """SQL of every column of the file that is written anew."""
        blank = set(feed.erasure.blank) if feed.erasure else set()
        columns = {column.name: column for column in feed.columns}
        types = dict(feed.lake_columns)
        expressions = []
        for name in names:
            base = name.removesuffix("_token") if name not in columns else name
            column, text = columns.get(base), identifier(name)
            if column and base in ACCOUNT_NUMBERS:
                number = rules.normalised(column)
                made = f"{literal(PSEUDONYM)} || left(entry('account_no:' || {number}), {PSEUDONYM_DIGITS})"
                value = made if name == base else f"token({made})"
                text = f"case when {self._in('account_no', number)} then {value} else {text} end"
            elif column and base in CARD_NUMBERS:
                text = f"case when {self._in('card_no', rules.normalised(column))} then null else {text} end"
            if others := texts.get(name):
                cases = " ".join(f"when {literal(one)} then {literal(other)}" for one, other in others.items())
                text = f"case {text} {cases} else {text} end"
            if base in blank:
                text = f"case when {owns} then null else {text} end"
            expressions.append(f"cast({text} as {types[name]}) as {identifier(name)}")
        return expressions


def _column(feed: Feed, name: str) -> Column:
    return next(column for column in feed.columns if column.name == name)
