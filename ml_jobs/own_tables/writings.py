"""How people write numbers and dates: 1.234,56, $5, 12%, (1.00), 3-, full-width digits; 31/12/2024, 20241231, +08:00.

A text is read by the evidence of its whole column. What fits two readings (1.234, 03/04/2024) is settled by other
values, by other columns of the file, or by the task file; nothing is guessed. What fits none is unreadable and counted.
"""

import re
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = ("", "?", "NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None")
POINT, COMMA = ".", ","
PERCENT = "%"
SAMPLE = 300  # distinct texts; where few of them can be read, the others are not tried
LEAST_READABLE = 0.3  # of the sample
TENS = {"万": 1e4, "亿": 1e8}
_PLAIN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_THOUSANDS_OR_DECIMALS = r"^[+-]?[1-9][0-9]{0,2}\.[0-9]{3}$"
_GROUPS_OF_POINTS = r"^[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+$"
_SIGNS = "[$€£¥₹₩]|元|CNY|RMB|USD|EUR|GBP|HKD|JPY|CHF|SGD|AUD|CAD|CZK|PLN|SEK|NOK|DKK|INR|Kč"
_CURRENCY = re.compile(rf"^(?:{_SIGNS}|(?:US|HK|NT|R|A|C)\$)|(?:{_SIGNS})$")
_BODY = {
    decimal: re.compile(
        rf"(?=.*[0-9])(?:[0-9]+|[1-9][0-9]{{0,2}}(?P<mark>[{other}' ’])[0-9]{{3}}(?:(?P=mark)[0-9]{{3}})*"
        rf"|[1-9][0-9]?(?:{other}[0-9]{{2}})+{other}[0-9]{{3}})?(?:[{decimal}][0-9]*)?(?:[eE][+-]?[0-9]+)?"
    )
    for decimal, other in ((POINT, COMMA), (COMMA, r"\."))
}
_MINUS = str.maketrans({**dict.fromkeys("−‐‑–—﹣", "-"), "\u202f": " ", "\u2009": " "})
_ISO = re.compile(
    r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:[T ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]+)?)? ?(Z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_HAN = re.compile(r"([0-9]{4})年([0-9]{1,2})月(?:([0-9]{1,2})[日号])?")
_MONTH = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})")
_COMPACT = re.compile(r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])([0-3][0-9])(?:[0-2][0-9][0-5][0-9][0-5][0-9])?")
_COMPACT_MONTH = re.compile(r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])")
_TIME = r"(?:[T ,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?(?: ?[AaPp][Mm])?)?"
_SLASHED = re.compile(rf"([0-9]{{1,2}})([-/.])([0-9]{{1,2}})\2([0-9]{{4}}|[0-9]{{2}}){_TIME}")
_NAMED = re.compile(rf"([0-9]{{1,2}})[- ./]*([A-Za-z]{{3,9}})\.?[- ,./]*([0-9]{{4}}){_TIME}")
_NAMED_FIRST = re.compile(rf"([A-Za-z]{{3,9}})\.?[- ]*(?:([0-9]{{1,2}})(?:[a-z]{{2}})?)?[-, ]+([0-9]{{4}}){_TIME}")
_TWO_DIGITS = re.compile(r"(?:[0-9]{1,2}[- ])?[A-Za-z]{3}[- ]'?[0-9]{2}")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NO_DATE = np.datetime64("NaT", "D")


@dataclass(frozen=True)
class Texts:
    """A column of texts by its distinct values."""

    codes: np.ndarray  # (n,) position in `distinct`; -1 where missing
    distinct: pa.Array  # of strings, none of them missing

    @classmethod
    def of(cls, column: pa.Array | pa.ChunkedArray) -> "Texts":
        """The texts of a column; those of `MISSING` are missing."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # no chunk at all
            column = pa.array([], pa.string())
        encoded = column.cast(pa.large_string()).dictionary_encode()
        trimmed = pc.utf8_trim_whitespace(encoded.dictionary)
        is_missing = pc.is_in(trimmed, pa.array(MISSING, trimmed.type)).to_numpy(zero_copy_only=False)
        place = np.append(np.where(is_missing, -1, np.cumsum(~is_missing) - 1), -1)
        codes = encoded.indices.fill_null(len(trimmed)).to_numpy(zero_copy_only=False)
        return cls(place[codes], trimmed.filter(pa.array(~is_missing)))

    @cached_property
    def present(self) -> np.ndarray:
        """(n,) whether there is a value."""
        return self.codes >= 0

    @cached_property
    def counts(self) -> np.ndarray:
        """Rows of each distinct text."""
        return np.bincount(self.codes[self.present], minlength=len(self.distinct))

    def spread(self, values: np.ndarray, missing: object) -> np.ndarray:
        """(n,) the value of each row's text."""
        return np.append(values, np.array([missing], values.dtype))[self.codes]


@dataclass(frozen=True)
class Numbers:
    """A column of texts read as numbers, by either decimal mark."""

    texts: Texts
    values: dict[str, np.ndarray]  # decimal mark: (distinct,) numbers, nan where they cannot be read
    clear: dict[str, int]  # decimal mark: rows that are written with no other
    ambiguous: int  # rows that mean thousands by one mark, decimals by the other
    units: np.ndarray  # (distinct,) "%", a currency, or "" of a plain number
    codes: int  # rows of digits that begin with 0, or that are too many for a float to keep them apart

    def readable(self, decimal: str) -> int:
        """Rows that are numbers by this mark."""
        return int(self.texts.counts[np.isfinite(self.values[decimal])].sum())


@dataclass(frozen=True)
class Dates:
    """A column of texts read as dates of the bank, by either order of day and month."""

    texts: Texts
    days: dict[str, np.ndarray]  # "dmy" or "mdy": (distinct,) datetime64[D], NaT where they cannot be read
    clear: dict[str, int]  # order: rows that are written in no other
    ambiguous: int  # rows that are a date in both orders, and not the same
    two_digit_years: int  # rows
    compact: int  # rows that could be numbers as well, like 20241231

    def readable(self, order: str) -> int:
        """Rows that are dates in this order."""
        return int(self.texts.counts[~np.isnat(self.days[order])].sum())


def read_numbers(texts: Texts) -> Numbers | None:
    """The column as numbers; None where hardly any text is one."""
    distinct, counts = texts.distinct, texts.counts
    plain = _matches(distinct, _PLAIN)
    others = np.flatnonzero(~plain)
    if not plain.any() and not _is_worth_trying(distinct, others, lambda text: _number(text) is not None):
        return None
    by_point = np.full(len(distinct), np.nan)
    by_point[plain] = distinct.filter(pa.array(plain)).cast(pa.float64()).to_numpy()
    has_point = plain & _matches(distinct, r"\.")
    grouped = plain & _matches(distinct, _GROUPS_OF_POINTS)
    by_comma = np.where(has_point, np.nan, by_point)
    without = pc.replace_substring(distinct.filter(pa.array(grouped)), ".", "")
    by_comma[grouped] = without.cast(pa.float64()).to_numpy()
    unclear = plain & _matches(distinct, _THOUSANDS_OR_DECIMALS)
    clear = {POINT: int(counts[has_point & ~unclear].sum()), COMMA: 0}
    ambiguous, units = int(counts[unclear].sum()), np.full(len(distinct), "", dtype=object)
    for at in others:
        number = _number(distinct[at].as_py())
        if number is None:
            continue
        by_point[at], by_comma[at] = number.values[POINT], number.values[COMMA]
        if number.decimal:
            clear[number.decimal] += int(counts[at])
        ambiguous += int(counts[at]) if number.is_ambiguous else 0
        units[at] = number.unit
    for values in (by_point, by_comma):
        values[~np.isfinite(values)] = np.nan
    codes = int(counts[_matches(distinct, r"^(0[0-9]+|[0-9]{16,})$")].sum())
    return Numbers(texts, {POINT: by_point, COMMA: by_comma}, clear, ambiguous, units, codes)


def read_dates(texts: Texts, utc_offset: str) -> Dates | None:
    """The column as the bank's dates; None where hardly any text is one.

    Parameters
    ----------
    utc_offset : str
        Of the bank's clock, as ``+08:00``: the date of a moment with an offset of its own is that of the bank.
    """
    bank = _minutes(utc_offset)
    distinct, counts = texts.distinct, texts.counts
    everything = np.arange(len(distinct))
    if not _is_worth_trying(distinct, everything, lambda text: _date(text, bank) is not None):
        return None
    days = {order: np.full(len(distinct), _NO_DATE) for order in ("dmy", "mdy")}
    clear, ambiguous, two_digits, compact = {"dmy": 0, "mdy": 0}, 0, 0, 0
    for at, text in enumerate(distinct.to_pylist()):
        found = _date(text, bank)
        if found is None:
            continue
        days["dmy"][at], days["mdy"][at] = found.dmy or _NO_DATE, found.mdy or _NO_DATE
        rows = int(counts[at])
        two_digits += rows if found.has_two_digits else 0
        compact += rows if found.is_compact else 0
        if (found.dmy is None) != (found.mdy is None):
            clear["mdy" if found.dmy is None else "dmy"] += rows
        elif found.dmy != found.mdy:
            ambiguous += rows
    return Dates(texts, days, clear, ambiguous, two_digits, compact)


def _is_worth_trying(distinct: pa.Array, places: np.ndarray, is_readable: Callable[[str], bool]) -> bool:
    sample = places[:: max(1, len(places) // SAMPLE)]
    readable = sum(is_readable(distinct[at].as_py()) for at in sample)
    return readable > LEAST_READABLE * len(sample)


def _matches(texts: pa.Array, pattern: str) -> np.ndarray:
    return pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)


@dataclass(frozen=True)
class _Number:
    values: dict[str, float]  # by decimal mark
    decimal: str  # the only one that fits, else empty
    is_ambiguous: bool
    unit: str


def _number(text: str) -> _Number | None:
    """A text that is no plain number.

    >>> _number("(1.234,50)").values[","], _number("$1,000").values["."], _number("12 %").unit
    (-1234.5, 1000.0, '%')
    """
    body = unicodedata.normalize("NFKC", text).translate(_MINUS).strip()
    sign, scale, unit = "", 1.0, ""
    while True:
        before = body
        if not sign and body.startswith("(") and body.endswith(")"):
            sign, body = "-", body[1:-1].strip()
        elif not sign and body.startswith(("-", "+")):
            sign, body = body[0], body[1:].strip()
        elif not sign and body.endswith("-"):
            sign, body = "-", body[:-1].strip()
        elif body.endswith(PERCENT) and not unit:
            scale, unit, body = scale / 100, PERCENT, body[:-1].strip()
        elif body and body[-1] in TENS:
            scale, body = scale * TENS[body[-1]], body[:-1].strip()
        elif not unit and (currency := _CURRENCY.search(body)):
            unit, body = currency[0], (body[: currency.start()] + body[currency.end() :]).strip()
        if body == before:
            break
    values = {mark: _value(body, mark) for mark in _BODY}
    if all(value != value for value in values.values()):
        return None
    decimal, is_ambiguous = _decimal_mark(body, values)
    factor = -scale if sign == "-" else scale
    return _Number({mark: factor * value for mark, value in values.items()}, decimal, is_ambiguous, unit)


def _value(body: str, decimal: str) -> float:
    if not _BODY[decimal].fullmatch(body):
        return float("nan")
    other = COMMA if decimal == POINT else POINT
    digits = re.sub(r"[' ’]", "", body.replace(other, "")).replace(decimal, POINT)
    return float(digits)


def _decimal_mark(body: str, values: dict[str, float]) -> tuple[str, bool]:
    """The only decimal mark that fits, if its writing shows it; and whether two fit with different values."""
    fitting = [mark for mark, value in values.items() if value == value]
    if len(fitting) == 1:
        return (fitting[0] if POINT in body or COMMA in body else ""), False
    return "", values[POINT] != values[COMMA]


@dataclass(frozen=True)
class _Date:
    dmy: date | None
    mdy: date | None
    has_two_digits: bool = False
    is_compact: bool = False


def _date(text: str, bank: int) -> _Date | None:
    """A text as the bank's date.

    >>> _date("2024-01-31T20:00:00Z", 480).dmy.isoformat(), _date("31.12.2024", 0).mdy
    ('2024-02-01', None)
    """
    if not text[:1].isascii() or not text.isascii():
        text = unicodedata.normalize("NFKC", text).strip()
    if len(text) > 40:
        return None
    if match := _ISO.fullmatch(text):
        year, _, month, day, hour, minute, _, offset = match.groups()
        found = _day(year, month, day)
        if found and offset and hour:
            minutes = int(hour) * 60 + int(minute) + bank - _minutes(offset)
            with suppress(OverflowError):  # of the year 9999, which stands for never
                found += timedelta(days=minutes // 1440)
        return _of_any_order(found)
    if match := _COMPACT.fullmatch(text):
        found = _day(*match.groups())
        return _of_any_order(found, is_compact=True)
    if match := _SLASHED.fullmatch(text):
        first, _, second, year = match.groups()
        if len(year) == 2:
            return _Date(None, None, has_two_digits=True)
        dmy, mdy = _day(year, second, first), _day(year, first, second)
        return _Date(dmy, mdy) if dmy or mdy else None
    if match := _HAN.fullmatch(text):
        found = _day(match[1], match[2], match[3] or "1")
        return _of_any_order(found)
    if match := _MONTH.fullmatch(text):
        found = _day(match[1], match[2], "1")
        return _of_any_order(found)
    if match := _COMPACT_MONTH.fullmatch(text):
        found = _day(match[1], match[2], "1")
        return _of_any_order(found, is_compact=True)
    return _with_name_of_month(text)


def _of_any_order(found: date | None, is_compact: bool = False) -> _Date | None:
    return _Date(found, found, is_compact=is_compact) if found else None


def _with_name_of_month(text: str) -> _Date | None:
    if match := _NAMED.fullmatch(text):
        day, name, year = match.groups()
    elif match := _NAMED_FIRST.fullmatch(text):
        name, day, year = match.groups()
    else:
        match = _TWO_DIGITS.fullmatch(text)
        is_month = match and any(month in text.lower() for month in _MONTHS)
        return _Date(None, None, has_two_digits=True) if is_month else None
    if name[:3].lower() not in _MONTHS:
        return None
    found = _day(year, str(_MONTHS.index(name[:3].lower()) + 1), day or "1")
    return _of_any_order(found)


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def _minutes(offset: str) -> int:
    """Minutes east of Greenwich of an offset such as ``+08:00``, ``-0530``, ``+08`` or ``Z``."""
    if offset in ("Z", "UTC"):
        return 0
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return (-1 if offset[0] == "-" else 1) * (int(digits[:2]) * 60 + int(digits[2:]))
