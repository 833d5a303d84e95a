"""One delivery that arrived whole becomes one lake file and one quarantine file, or none and a reason."""

import logging
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from lakehouse.contracts import Feed
from lakehouse.ingestion import framing, rules
from lakehouse.ingestion.erased import Effect, Erased
from lakehouse.ingestion.landing import Delivery, Landed, Rejected
from lakehouse.lake import appearing
from lakehouse.lake.erasures import ERASED
from lakehouse.lake.secret import require_same_secret
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row

_THREADS = 2  # of one feed; feeds run beside each other, each in another process
_MEMORY = "2GB"
GOOD_ROWS = "(select * from judged where problem is null)"  # of the delivery that was judged last

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Figures:
    """Counts and dates of a delivery that could be split into rows; ``problem`` is the reason to reject it, if any."""

    rows_delivered: int
    rows_loaded: int
    rows_quarantined: int = 0
    min_business_date: date | None = None
    max_business_date: date | None = None
    late_rows: int = 0
    problem: str | None = None
    rows_erased: int = 0  # dropped, for they are about people who were erased
    is_touched: bool = False  # the delivery as it landed holds somebody who was erased


@dataclass(frozen=True)
class Kind:
    """Rows of a file that are bad in one way."""

    reason: str
    column: str | None
    rows: int
    first_row: int


@dataclass(frozen=True)
class Rehearsal:
    """What would become of a delivery, and what its manifest has to state; ``problem`` is the reason to reject it."""

    rows: int
    kinds: tuple[Kind, ...]
    control_sums: dict[str, Decimal]  # of the rows whose values can be read
    min_business_date: date | None
    max_business_date: date | None
    problem: str | None

    @property
    def bad_rows(self) -> int:
        return sum(kind.rows for kind in self.kinds)


class _NotClean(Exception):
    """Some row or figure is not as expected: every row has to be judged."""


@contextmanager
def connection(settings: Settings) -> Generator[duckdb.DuckDBPyConnection]:
    """A database in memory, for the deliveries of one feed; what does not fit is spilled beside the lake."""
    require_same_secret(settings)
    with (
        tempfile.TemporaryDirectory(prefix=".spill-", dir=settings.lake) as spill,
        duckdb.connect(config={"threads": _THREADS, "memory_limit": _MEMORY, "temp_directory": spill}) as con,
    ):
        # it would turn a long IN list into a join, and a join loses the order of the rows
        con.execute("set disabled_optimizers = 'in_clause'")
        rules.create_token_macro(con, settings.token_secret)
        yield con


def load(
    con: duckdb.DuckDBPyConnection,
    lake: Path,
    feed: Feed,
    delivery: Delivery,
    landed: list[Landed],
    name: str,
    erased: Erased,
) -> Figures:
    """Write ``raw/<name>`` if the delivery is good, and ``quarantine/<name>`` if rows of it were bad.

    Nobody who was erased is in either: their rows are dropped or blanked as the contract says.

    Raises
    ------
    Rejected
        If the delivery cannot be split into rows: no header, a wrong column, a broken gzip stream.
    """
    _check_control_columns(feed, delivery)
    if feed.format == "delimited":
        feed = framing.as_sent(feed, landed)
    raw, quarantine = lake / "raw" / name, lake / "quarantine" / name
    return _load_clean(con, feed, delivery, landed, raw, erased) or _load_sifted(
        con, feed, delivery, landed, raw, quarantine, erased
    )


def rehearse(con: duckdb.DuckDBPyConnection, feed: Feed, delivery: Delivery, landed: list[Landed]) -> Rehearsal:
    """Judge every row as `load` would, and write nothing; the manifest's counts and sums are not looked at.

    Raises
    ------
    Rejected
        If the delivery cannot be split into rows.
    """
    if feed.format == "delimited":
        feed = framing.as_sent(feed, landed)
    _judge(con, feed, delivery, landed)
    reason, column = "split_part(problem, ' ', 1)", "nullif(split_part(problem, ' ', 2), '')"
    kinds = con.execute(
        f"select {reason}, {column}, count(*), min(_row) from judged where problem is not null "
        "group by all order by count(*) desc, 1, 2"
    ).fetchall()
    sums = ", ".join(["count(*)", *(f"coalesce(sum({identifier(name)}), 0)" for name in feed.control_sums)])
    _, *totals = only_row(con.execute(f"select {sums} from {_control_values(feed, delivery)}"))
    day = rules.typed(feed, feed.business_date_column) if feed.business_date_column else "cast(null as date)"
    good = f"min({day}) filter (where problem is null), max({day}) filter (where problem is null)"
    rows, first, last = only_row(con.execute(f"select count(*), {good} from judged"))
    problem = _limit_problem(con, feed, rows, sum(count for *_, count, _ in kinds))
    stated = dict(zip(feed.control_sums, totals, strict=True))
    return Rehearsal(rows, tuple(Kind(*kind) for kind in kinds), stated, first, last, problem)


def _load_clean(
    con: duckdb.DuckDBPyConnection, feed: Feed, delivery: Delivery, landed: list[Landed], raw: Path, erased: Erased
) -> Figures | None:
    """Read, judge and write in one pass that ends at the first fault; None, and nothing written, if there is one."""
    # DuckDB drops empty fields after the last column; then every value may stand in the wrong one
    is_uneven = any(file.delimiters != file.lines * (len(feed.sent_columns) - 1) for file in landed)
    is_care_needed = is_uneven or any(file.needs_care for file in landed)
    is_framed = feed.format != "delimited" or feed.encoding != "UTF-8" or is_care_needed
    damages: list[str] = []
    incoming = framing.framed(landed, feed, damages) if is_framed else framing.numbered(landed, feed, _THREADS)
    source = f"({rules.fields(feed, 'incoming')})" if is_framed else "incoming"
    row = f"case when ({rules.problem(feed, delivery.period, is_framed)}) is null then _row else error('fault') end"
    con.register("incoming", incoming)
    try:
        with appearing(raw) as path:
            selected = rules.lake_select(feed, delivery.readable_manifest.daily_cutoff, row)
            written = _write(con, f"select {selected} from {source}", path)
            loaded, first, last, late = _summary(con, feed, delivery, written)
            if damages or loaded != delivery.readable_manifest.row_count:
                raise _NotClean("rows are missing")
            if not is_framed and loaded != sum(file.lines - 1 for file in landed):
                raise _NotClean("a row is no line")
            if loaded != _key_count(con, feed, written):
                raise _NotClean("keys repeat")
            if problem := _control_sum_problem(con, delivery, f"(select *, false as is_unread from {written})"):
                raise _NotClean(problem)
            effect = erased.rewrite(feed, path)
        return _without(effect, Figures(loaded, loaded, 0, first, last, late))
    except (_NotClean, duckdb.InvalidInputException) as reason:
        # DuckDB's message would quote the row
        why = reason if isinstance(reason, _NotClean) else "a row is not well formed"
        log.info("%s is read again, row by row: %s", delivery.path.name, why)
        return None
    finally:
        con.unregister("incoming")


def _without(effect: Effect | None, figures: Figures) -> Figures:
    """The figures of a file from which people were erased."""
    if effect is None:
        return figures
    left = figures.rows_loaded - effect.rows_dropped
    return replace(figures, rows_loaded=left, rows_erased=effect.rows_dropped, is_touched=True)


def _load_sifted(
    con: duckdb.DuckDBPyConnection,
    feed: Feed,
    delivery: Delivery,
    landed: list[Landed],
    raw: Path,
    quarantine: Path,
    erased: Erased,
) -> Figures:
    """Judge every row; write the bad ones, then, unless the whole delivery is rejected, the good ones."""
    _judge(con, feed, delivery, landed)
    delivered, bad = con.execute("select count(*), count(problem) from judged").fetchall()[0]
    is_named = False
    if bad:
        with appearing(quarantine) as path:
            written = _write(con, _quarantine_select(feed, delivery, erased), path)
            named = con.execute(f"select count(*) from {written} where raw_text = {literal(ERASED)}")
            is_named = only_row(named)[0] > 0
    problem = (
        _row_count_problem(con, feed, delivery, landed, delivered)
        or _control_sum_problem(con, delivery, _control_values(feed, delivery))
        or _limit_problem(con, feed, delivered, bad)
    )
    if problem:
        rows = f"(select {rules.lake_select(feed, delivery.readable_manifest.daily_cutoff)} from judged)"
        return Figures(delivered, 0, bad, problem=problem, is_touched=is_named or erased.count(feed, rows) > 0)
    with appearing(raw) as path:
        selected = rules.lake_select(feed, delivery.readable_manifest.daily_cutoff)
        written = _write(con, f"select {selected} from judged where problem is null order by rowid", path)
        loaded, first, last, late = _summary(con, feed, delivery, written)
        effect = erased.rewrite(feed, path)
    return _without(effect, Figures(delivered, loaded, bad, first, last, late, is_touched=is_named))


def _judge(con: duckdb.DuckDBPyConnection, feed: Feed, delivery: Delivery, landed: list[Landed]) -> None:
    """Make the table ``judged``: every row in the order of delivery, with its first problem, if any."""
    damages: list[str] = []
    con.register("incoming", framing.framed(landed, feed, damages))
    problem = rules.problem(feed, delivery.period, is_framed=True)
    con.execute(
        f"create or replace temp table judged as select *, {problem} as problem from ({rules.fields(feed, 'incoming')})"
    )
    con.unregister("incoming")
    if damages:
        raise Rejected(damages[0])
    con.execute(
        f"""update judged set problem = case when is_same then 'duplicate_key' else 'conflicting_key' end
            || ' {feed.key[0]}'
        from (
            select rowid as place,
                row_number() over same_key as occurrence,
                _values is not distinct from first_value(_values) over same_key as is_same
            from judged where problem is null
            window same_key as (partition by {rules.key(feed)} order by rowid)
        ) as told
        where told.place = judged.rowid and told.occurrence > 1"""
    )


def _key_count(con: duckdb.DuckDBPyConnection, feed: Feed, written: str) -> int:
    """Distinct keys in a lake file, by their hashes: hardly ever too few, never too many."""
    key = f"hash({', '.join(map(identifier, feed.lake_key))})"
    counted = con.execute(f"select count(*) from (select {key} as key_hash from {written} group by key_hash)")
    return counted.fetchall()[0][0]


def _write(con: duckdb.DuckDBPyConnection, select: str, path: Path) -> str:
    """Write a query's rows, in their order, and return the SQL that reads them."""
    options = "format parquet, compression zstd, compression_level 1"
    con.execute(f"copy ({select}) to {literal(str(path))} ({options})").fetchall()
    return f"read_parquet({literal(str(path))}, hive_partitioning = false)"


def _quarantine_select(feed: Feed, delivery: Delivery, erased: Erased) -> str:
    """Business date and account as far as they can be read, so that a break in the balances finds its reason.

    Of a row that names somebody who was erased, only where it stood and what was wrong.
    """
    day = feed.business_date_column
    date_value = rules.typed(feed, day) if day else "cast(null as date)"
    is_shown = f"{date_value} is not null and not is_named"
    nothing = "cast(null as varchar)"
    account = next((column for column in feed.columns if column.name == "account_no"), None)
    return f"""
        select {literal(feed.name)} as feed, {literal(delivery.period.text)} as period,
            cast({delivery.version} as integer) as version,
            cast(_file as varchar) as file, _row as row,
            nullif(substring(problem, length(split_part(problem, ' ', 1)) + 2), '') as column_name,
            split_part(problem, ' ', 1) as reason,
            case when is_named then {literal(ERASED)} else _text end as raw_text,
            {date_value} as business_date,
            {f"case when {is_shown} then {rules.token(account)} end" if account else nothing}
                as account_no_token
        from (select *, rowid as place, {erased.is_named("judged")} as is_named from judged where problem is not null)
        order by place"""


def _summary(
    con: duckdb.DuckDBPyConnection, feed: Feed, delivery: Delivery, written: str
) -> tuple[int, date | None, date | None, int]:
    """Rows, first and last business date, and rows that belong to days before the period, of a lake file."""
    day = identifier(feed.business_date_column) if feed.business_date_column else "cast(null as date)"
    return con.execute(
        f"select count(*), min({day}), max({day}), count(*) filter (where {day} < $start) from {written}",
        {"start": delivery.period.start},
    ).fetchall()[0]


def _check_control_columns(feed: Feed, delivery: Delivery) -> None:
    """Reject a manifest that lacks a control sum of the contract, or has one of a column without numbers."""
    stated = delivery.readable_manifest.control_sums
    numeric = {column.name for column in feed.columns if column.type.startswith(("decimal", "integer", "bigint"))}
    if missing := [name for name in feed.control_sums if name not in stated]:
        raise Rejected(f"{delivery.path.name}: control sum of {missing[0]} is missing: send the manifest again with it")
    if unknown := [name for name in stated if name not in numeric]:
        raise Rejected(
            f"{delivery.path.name}: control sum {list(stated).index(unknown[0]) + 1} is of no column with numbers: "
            f"the contract has {', '.join(sorted(numeric)) or 'none'}: leave it out"
        )


def _row_count_problem(
    con: duckdb.DuckDBPyConnection, feed: Feed, delivery: Delivery, landed: list[Landed], delivered: int
) -> str | None:
    expected = delivery.readable_manifest.row_count
    if delivered == expected:
        return None
    names = ", ".join(file.name for file in delivery.readable_manifest.files)
    cause = _likely_cause(con, feed, landed, delivered, expected)
    return f"{names}: {expected} rows expected by the manifest, {delivered} found: {cause}"


def _likely_cause(
    con: duckdb.DuckDBPyConnection, feed: Feed, landed: list[Landed], delivered: int, expected: int
) -> str:
    """Why the manifest and the rows disagree, as far as the file shows it, and what to do."""
    odd = con.execute(
        "select cast(_file as varchar), _row, _text, _row = max(_row) over (partition by _file) from judged "
        "where problem = 'wrong_column_count' order by rowid"
    ).fetchall()
    opened = [
        f"{file}: a quote in line {row} is not closed"
        for file, row, text, _ in odd
        if feed.format == "delimited" and framing.split_quoted(text, feed.delimiter)[1]
    ]
    last = [f"{file}: row {row}" for file, row, _, is_last in odd if is_last]
    headers = len(landed) if feed.format == "delimited" else 0
    if opened:
        return f"{opened[0]}: close it, or double it where it is text, and send the delivery again"
    if last and delivered - expected == len(last):
        return (
            f"{last[0]}, the last, has not the {len(feed.sent_columns)} fields of the contract: if it is a trailer "
            "record, send the file without it"
        )
    if headers and expected - delivered == headers:
        return "the manifest counts the header row: send it again with the count of the rows below it"
    if expected in (lines := sum(file.lines for file in landed), lines - headers) and headers:
        return "the manifest counts lines, some blank or within a record: send it again with the count of records"
    return "send the delivery again whole"


def _control_values(feed: Feed, delivery: Delivery) -> str:
    """The control columns of every row; ``is_unread`` marks rows whose value cannot be read."""
    is_record_fault = "(problem is not null and not contains(problem, ' '))"
    values = ", ".join(
        f"case when not {is_record_fault} then {rules.typed(feed, name)} end as {identifier(name)}"
        for name in delivery.readable_manifest.control_sums
    )
    return f"(select problem is not null as is_unread{', ' if values else ''}{values} from judged)"


def _control_sum_problem(con: duckdb.DuckDBPyConnection, delivery: Delivery, values: str) -> str | None:
    """A control sum that differs, unless a quarantined row whose value cannot be read may hold the difference."""
    for name, expected in delivery.readable_manifest.control_sums.items():
        column = identifier(name)
        total, unread = con.execute(
            f"select coalesce(sum({column}), 0), count(*) filter (where is_unread and {column} is null) from {values}"
        ).fetchall()[0]
        if total != expected and not unread:
            return (
                f"{delivery.path.name}: control sum of {name}: {expected} expected by the manifest, {total} found: "
                "send the delivery again with the right file or sum"
            )
    return None


def _limit_problem(con: duckdb.DuckDBPyConnection, feed: Feed, delivered: int, bad: int) -> str | None:
    limit = max(feed.reject_limit * delivered, feed.reject_floor)
    if bad <= limit:
        return None
    kinds = con.execute(
        "select split_part(problem, ' ', 1) as reason, count(*) as row_count from judged "
        "where problem is not null group by reason order by row_count desc, reason"
    ).fetchall()
    file, row, problem, text = con.execute(
        "select cast(_file as varchar), _row, problem, _text from judged "
        "where problem is not null order by rowid limit 1"
    ).fetchall()[0]
    reason, _, column = problem.partition(" ")
    other = framing.other_delimiter(feed, text) if reason == "wrong_column_count" else None
    hint = f" (its fields are divided by {other!r}, the contract divides them by {feed.delimiter!r})" if other else ""
    return (
        f"{bad} of {delivered} rows are bad, more than the {limit:g} allowed "
        f"({', '.join(f'{count} {kind}' for kind, count in kinds)}); "
        f"first: {file}: row {row}: {f'column {column}: ' if column else ''}{reason}{hint}: "
        "correct the file and send it again"
    )
