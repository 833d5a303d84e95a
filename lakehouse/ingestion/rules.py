"""A contract as SQL: how records become columns, what makes a row faulty, and what a lake file holds.

Everything here is one expression per column: both ways of reading (see `framing`) judge by the same SQL.
Names that begin with ``_`` are ours; the others are the contract's.
"""

import hashlib
from datetime import date

import duckdb
from pydantic import SecretStr

from lakehouse.contracts import Column, Feed, load_feeds
from lakehouse.ingestion.landing import Period
from lakehouse.sql import identifier, literal

_EARLIEST_DATE = "1900-01-02"  # 1900-01-01 and before are what systems write for "not known"
_EARLIEST_BUSINESS_DATE = "1970-01-02"
_WIDTHS = {"date": len("2026-01-05"), "timestamp": len("2026-01-05 23:59:59")}
_TEXT_TYPES = ("varchar", "date", "timestamp")


def create_token_macro(con: duckdb.DuckDBPyConnection, secret: SecretStr, name: str = "token") -> None:
    """Define ``token(text)``, or another name of it: HMAC-SHA-256 (RFC 2104) as 64 hex digits; null stays null.

    >>> with duckdb.connect() as con:
    ...     create_token_macro(con, SecretStr("secret"))
    ...     con.sql("select token('13800138000')[:12], token(null)").fetchall()
    [('4aceeec2f7ab', None)]
    """
    key = secret.get_secret_value().encode()
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    con.execute(f"set variable {name}_inner_pad = $1", [bytes(byte ^ 0x36 for byte in key)])
    con.execute(f"set variable {name}_outer_pad = $1", [bytes(byte ^ 0x5C for byte in key)])
    con.execute(
        f"create or replace temp macro {name}(value) as "
        f"sha256(getvariable('{name}_outer_pad') || unhex(sha256(getvariable('{name}_inner_pad') || encode(value))))"
    )


def fields(feed: Feed, source: str) -> str:
    """Framed records as text columns beside ``_file, _row, _text, _fault``."""
    if feed.format == "delimited":
        split = f"coalesce(_fields, string_split(_text, {literal(feed.delimiter)}))"
        columns = ", ".join(
            f"nullif(_values[{at}], '') as {identifier(column.name)}" for at, column in enumerate(feed.sent_columns, 1)
        )
        fault = f"case when len(_values) <> {len(feed.sent_columns)} then 'wrong_column_count' end"
    else:
        paths = ", ".join(literal(f'$."{column.name}"') for column in feed.columns)
        split = f"try(cast(json_extract(_text, [{paths}]) as varchar[]))"
        columns = ", ".join(
            f"{_json_text(column, f'_values[{at}]')} as {identifier(column.name)}"
            for at, column in enumerate(feed.columns, 1)
        )
        fault = _json_fault(feed)
    return (
        f"select _file, _row, _text, _values, coalesce(_fault, {fault}) as _fault, {columns} "
        f"from (select _file, _row, _text, _fault, {split} as _values from {source})"
    )


def problem(feed: Feed, period: Period, is_framed: bool) -> str:
    """The first fault of a row as text "reason column" (only "reason" for a fault of the whole record), else null."""
    record = ["when _fault is not null then _fault"] if is_framed else []
    checks = [
        f"when {condition} then '{reason} {column.name}'"
        for at, column in enumerate(feed.sent_columns, 1)
        for condition, reason in _checks(feed, column, f"_values[{at}]", period)
    ]
    return "\n".join(["case", *record, *checks, "end"])


def lake_select(feed: Feed, cutoff: date | None, row: str = "_row") -> str:
    """The columns of a lake file, from text columns that hold no fault.

    Parameters
    ----------
    cutoff : date, optional
        The date by which all rows are known; None: in an initial load every row has its own.
    """
    typed = {column.name: "null" if column.name in feed.absent else _typed(column) for column in feed.columns}
    tokens = {f"{column.name}_token": token(column) for column in feed.columns if column.is_tokenised}
    ours = {"_file": "cast(_file as varchar)", "_row": row, "_known_date": _known_date(feed, cutoff)}
    expressions = {**typed, **tokens, **ours}
    return ", ".join(f"cast({expressions[name]} as {type_}) as {identifier(name)}" for name, type_ in feed.lake_columns)


def typed(feed: Feed, name: str) -> str:
    """SQL of one column's value, null where its text is no value of its type."""
    column = next(column for column in feed.columns if column.name == name)
    return f"case when not ({_is_malformed(column)}) then {_typed(column)} end"


def _checks(feed: Feed, column: Column, value: str, period: Period) -> list[tuple[str, str]]:
    """(condition, reason) of everything that may be wrong with a column, in the order in which it is reported."""
    name = identifier(column.name)
    checks = []
    if feed.format != "delimited" and column.type in _TEXT_TYPES:
        checks.append((f"{value} <> 'null' and not starts_with({value}, '\"')", "invalid_type"))
    if column.is_required:
        text = normalised(column) if column.is_tokenised else name  # blanks alone make no token
        checks.append((f"{text} is null", "missing_value"))
    if column.type != "varchar":
        checks.append((_is_malformed(column), "invalid_type"))
    if column.allowed:
        checks.append((f"{name} not in ({', '.join(map(literal, column.allowed))})", "not_allowed"))
    if column.differs_from:
        checks.append((f"{_letters(name)} = {_letters(identifier(column.differs_from))}", "same_as_other"))
    if column.minimum is not None:
        checks.append((f"{_typed(column)} < {column.minimum}", "out_of_range"))
    if column.maximum is not None:
        checks.append((f"{_typed(column)} > {column.maximum}", "out_of_range"))
    if column.type in _WIDTHS:
        earliest = _EARLIEST_BUSINESS_DATE if column.name == feed.business_date_column else _EARLIEST_DATE
        checks.append((f"{_typed(column)} < date '{earliest}'", "out_of_range"))
    if column.name == feed.business_date_column:
        checks.append((f"{_typed(column)} > date '{period.end}'", "outside_period"))
    return checks


def _letters(name: str) -> str:
    """SQL of a text without case, and without blanks and what nobody sees."""
    return rf"lower(regexp_replace({name}, '[\s\pZ\pC]+', '', 'g'))"


def _typed(column: Column) -> str:
    name = identifier(column.name)
    return name if column.type == "varchar" else f"try_cast({name} as {column.type})"


def _is_malformed(column: Column) -> str:
    """SQL that is true where a text is no value of the column's type, read strictly; false or null for null.

    >>> amount = Column("amount", "decimal(18,2)", "", True, False, False, None, (), None, None)
    >>> texts = "(values ('1.50'), ('1.505'), ('1,50'), (null)) as texts(amount)"
    >>> duckdb.sql(f"select amount, {_is_malformed(amount)} from {texts}").fetchall()
    [('1.50', False), ('1.505', True), ('1,50', True), (None, None)]
    """
    name = identifier(column.name)
    if column.type == "varchar":
        return "false"
    if column.type == "boolean":
        return f"{name} not in ('true', 'false')"
    if column.type in _WIDTHS:
        written_back = f"cast({_typed(column)} as varchar)"
        return f"length({name}) <> {_WIDTHS[column.type]} or {written_back} is distinct from {name}"
    scale = int(column.type.partition(",")[2].rstrip(")")) if column.type.startswith("decimal") else 0
    fraction = rf"([.][0-9]{{1,{scale}}})?" if scale else ""
    return f"not regexp_full_match({name}, '-?[0-9]+{fraction}') or ({name} is not null and {_typed(column)} is null)"


def token(column: Column) -> str:
    """SQL of a column's token: two writings of one number make one token, an empty one none."""
    return f"token({normalised(column)})"


def key(feed: Feed) -> str:
    """SQL of a record's key, from text columns: two writings of one number are one key, as they are one token."""
    columns = {column.name: column for column in feed.columns}
    parts = (columns[name] for name in feed.key)
    return ", ".join(normalised(part) if part.is_tokenised else identifier(part.name) for part in parts)


def normalised(column: Column) -> str:
    """SQL of the text that becomes a column's token, null for an empty one."""
    text = f"trim({identifier(column.name)})"
    normalised = {
        None: text,
        "digits": f"regexp_replace({text}, '[^0-9]', '', 'g')",
        "lower": f"lower({text})",
        "upper": f"upper({text})",
    }[column.normalise]
    return f"nullif({normalised}, '')"


def _known_date(feed: Feed, cutoff: date | None) -> str:
    if cutoff is not None:
        return f"date '{cutoff}'"
    if feed.is_snapshot or feed.business_date_column is None:
        return "date '1900-01-01'"
    return f"try_cast({identifier(feed.business_date_column)} as date) + {feed.initial_lag_days}"


def _json_text(column: Column, value: str) -> str:
    """A JSON value as the text that a delimited file would hold."""
    if column.type in _TEXT_TYPES:
        plain = f"case when contains({value}, '\\') then json_extract_string({value}, '$') else {value}[2:-2] end"
        return f"case when starts_with({value}, '\"') then nullif({plain}, '') end"
    if column.type == "boolean":
        return f"nullif({value}, 'null')"
    # DuckDB reads JSON numbers as doubles: cents of large amounts survive only in the text of the record
    pattern = literal(rf'"{column.name}"\s*:\s*([^\s,}}]+)')
    return f"case when {value} <> 'null' then regexp_extract(_text, {pattern}, 1) end"


def _json_fault(feed: Feed) -> str:
    """Not an object, a key twice, or a key that the contract does not know."""
    known = ", ".join(literal(column.name) for column in feed.columns)
    unknown = f"len(list_filter(json_keys(_text), lambda key: key not in ({known}))) > 0"  # it may be a person's name
    return (
        "case when _fault is not null then _fault "
        "when _values is null or not starts_with(ltrim(_text), '{') then 'invalid_json' "
        f"when len(json_keys(_text)) <> len(list_filter(_values, lambda value: value is not null)) "
        f"then case when {unknown} then 'unknown_key' else 'invalid_json' end end"
    )


def token_of(secret: SecretStr, feed: str, name: str, value: str) -> str | None:
    """The token that a value has in a column of a feed, however it is written; None of an empty one.

    >>> token_of(SecretStr("secret"), "customers", "phone", "138-0013 8000")[:12]
    '4aceeec2f7ab'
    """
    column = next(column for column in load_feeds()[feed].columns if column.name == name)
    with duckdb.connect() as con:
        create_token_macro(con, secret)
        statement = f"select {token(column)} from (select $1 as {identifier(name)})"
        return con.execute(statement, [value]).fetchall()[0][0]
