"""What deliveries say of each other: rows about what nobody has delivered, and keys that are told again otherwise.

A delivery alone can be without fault and still not fit the others. It is looked at when it is built for the first time.
Beyond the limit of its contract, one of a required feed waits until a person accepts it; below it, and in optional
feeds, the rows are counted and said.
"""

import math
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path

import duckdb
import pyarrow as pa

from lakehouse.contracts import CHANNELS, Feed, load_deployment, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion.landing import Period
from lakehouse.lake import Outcome, Pin, ask, is_accepted
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal

_MEMORY = "1GB"


class Disagreement(Stop):
    """Deliveries disagree by more than their contracts allow: a person has to look at them."""


@dataclass(frozen=True)
class Doubt:
    """Rows of one delivery that do not fit other deliveries; the sentence names positions and columns, no values."""

    outcome: Outcome
    sentence: str
    must_wait: bool


def check_agreement(settings: Settings, pin: Pin, built: Collection[str], channels: Collection[str]) -> list[str]:
    """Hold the deliveries that were not built yet against all others of the pin, but for events told again.

    Parameters
    ----------
    built : collection of str
        Ids of the deliveries that were looked at before.
    channels : collection of str
        Those whose deliveries are looked at, as far as they refer to each other: others may not have come yet.

    Returns
    -------
    list of str
        A sentence for each doubt that is no reason to wait.

    Raises
    ------
    Disagreement
        If a delivery of a required feed has to wait for a person.
    """
    with _looking(settings, pin, built, channels) as look:
        return _settled(look, [*_unknown_references(look), *_corrected_states(look)])


def check_repeats(settings: Settings, pin: Pin, built: Collection[str], repeats: pa.Table) -> list[str]:
    """The same for events that deliveries tell again.

    Parameters
    ----------
    repeats : pyarrow.Table
        Pairs of rows that tell the same event (``int_ops__repeated_events``): ``kept_delivery, kept_row,
        dropped_delivery, dropped_row``.
    """
    with _looking(settings, pin, built, CHANNELS) as look:
        return _settled(look, _conflicting_events(look, repeats))


@contextmanager
def _looking(settings: Settings, pin: Pin, built: Collection[str], channels: Collection[str]) -> Generator["_Look"]:
    feeds = {name: feed for name, feed in load_feeds().items() if feed.channel in channels}
    current = [item.outcome for item in pin.deliveries if item.superseded_date is None]
    new = [
        outcome
        for outcome in current
        if outcome.rows_loaded
        and outcome.feed in feeds
        and outcome.delivery_id not in built
        and not is_accepted(settings.lake, outcome.delivery_id)
    ]
    with duckdb.connect(config={"memory_limit": _MEMORY}) as con:
        yield _Look(con, settings.lake, pin, load_deployment(settings.deployment).required, feeds, current, new)


def _settled(look: "_Look", doubts: Iterable[Doubt]) -> list[str]:
    """The sentences, if nothing has to wait."""
    doubts = list(doubts)
    waiting = [doubt for doubt in doubts if doubt.must_wait]
    for doubt in waiting:
        ask(look.lake, doubt.outcome.delivery_id, doubt.sentence)
    if waiting:
        remedy = "put each right by a new version, or accept it by c360 accept ID --by NAME --why REASON"
        raise Disagreement(" | ".join(doubt.sentence for doubt in waiting), remedy)
    return [doubt.sentence for doubt in doubts]


def unknown_values(con: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, feed: Feed, rows: str) -> dict[str, int]:
    """Rows in the SQL ``rows``, by column, with a value that no delivery has told of the feed that it refers to."""
    counts = {}
    for column in feed.columns:
        if column.references and _find_unknown(con, lake, pin, column.references, _values(column.name, rows)):
            condition = _is_unknown(column.name, column.references)
            counts[column.name] = con.execute(f"select count(*) from {rows} where {condition}").fetchall()[0][0]
    return counts


@dataclass(frozen=True)
class _Look:
    """What a look at the deliveries of a pin needs."""

    con: duckdb.DuckDBPyConnection
    lake: Path
    pin: Pin
    required: Collection[str]  # feeds
    feeds: Collection[str]  # that may refer to each other
    current: Sequence[Outcome]
    new: Sequence[Outcome]  # those of them that were not looked at yet

    def is_beyond(self, outcome: Outcome, rows: int) -> bool:
        """Whether so many rows of a delivery are a reason to wait."""
        feed = load_feeds()[outcome.feed]
        return outcome.feed in self.required and rows > max(feed.doubt_limit * outcome.rows_loaded, feed.doubt_floor)

    def rows(self, *outcomes: Outcome) -> str:
        """SQL of the rows of deliveries of one feed, with the name of their file."""
        paths = ", ".join(literal(str(outcome.rows_path(self.lake))) for outcome in outcomes)
        return f"read_parquet([{paths}], filename = true, union_by_name = true, hive_partitioning = false)"

    def differences(self, feed: Feed, rows: str, others: str, key: Sequence[str]) -> tuple[int, str]:
        """Rows that another with the same key differs from, and the columns in which some of them do."""
        left = {*feed.key, feed.business_date_column}
        names = [column.name for column in feed.columns if column.name not in left and not column.may_be_absent]
        differs = [f"rows.{identifier(name)} is distinct from others.{identifier(name)}" for name in names]
        some = ", ".join(f"coalesce(bool_or({condition}), false)" for condition in differs)
        on = " and ".join(f"rows.{identifier(name)} = others.{identifier(name)}" for name in key)
        count, *is_different = self.con.execute(
            f"select count(*) filter (where {' or '.join(differs)}), {some} "
            f"from {rows} as rows join {others} as others on {on}"
        ).fetchall()[0]
        return count, ", ".join(name for name, is_one in zip(names, is_different, strict=True) if is_one)


def _unknown_references(look: _Look) -> list[Doubt]:
    """Rows that refer to what no delivery of another feed has told.

    A value may be one of those whose row is in quarantine, or in a delivery that was rejected: that is no reason to
    wait, for a person has been told of it.
    """
    new = _by_feed(look.new)
    values: dict[str, list[str]] = {}  # by the feed that is referred to: each of its deliveries is read once
    for feed, outcomes in new:
        for column in feed.columns:
            if column.references and column.references in look.feeds:
                values.setdefault(column.references, []).append(_values(column.name, look.rows(*outcomes)))
    has_unknown = {
        name: _find_unknown(look.con, look.lake, look.pin, name, " union all ".join(selects))
        for name, selects in values.items()
    }
    doubts = []
    for feed, outcomes in new:
        files = {str(outcome.rows_path(look.lake)): outcome for outcome in outcomes}
        for column in feed.columns:
            if not (column.references and has_unknown.get(column.references)):
                continue
            found = look.con.execute(
                f"select filename, count(*), count(distinct {identifier(column.name)}), min(_row) "
                f"from {look.rows(*outcomes)} where {_is_unknown(column.name, column.references)} "
                "group by filename order by 1"
            ).fetchall()
            for file, rows, values_, first in found:
                outcome = files[file]
                sentence = (
                    f"{outcome.delivery_id}: {rows} of {outcome.rows_loaded} rows have a {column.name} that no "
                    f"delivery of {column.references} has told, the first in row {first}: send the missing "
                    f"rows of {column.references}, or correct the file"
                )
                must_wait = values_ > _excused(look.pin, column.references) and look.is_beyond(outcome, rows)
                doubts.append(Doubt(outcome, sentence, must_wait))
    return doubts


def _corrected_states(look: _Look) -> list[Doubt]:
    """Late rows that tell a state again for a day of which another delivery tells otherwise: the later one counts.

    Corrections come in this way, so none has to wait.
    """
    doubts = []
    for feed, outcomes in _by_feed(outcome for outcome in look.new if outcome.late_rows):
        day = feed.business_date_column
        for outcome in outcomes if day in feed.key else ():
            others = [other for other in look.current if _may_tell_the_same(other, outcome)]
            if day is None or not others:
                continue
            late = f"(select * from {look.rows(outcome)} where {identifier(day)} < {literal(_start(outcome))})"
            count, columns = look.differences(feed, late, look.rows(*others), feed.key)
            if count:
                sentence = (
                    f"{outcome.delivery_id}: {count} of {outcome.rows_loaded} rows tell a state again that other "
                    f"deliveries tell otherwise ({columns}): the one known last counts"
                )
                doubts.append(Doubt(outcome, sentence, must_wait=False))
    return doubts


def _conflicting_events(look: _Look, repeats: pa.Table) -> list[Doubt]:
    """Events that are told again with other content, but for the booking day: the one known first counts."""
    by_id = {outcome.delivery_id: outcome for outcome in look.current}
    ids = {outcome.delivery_id for outcome in look.new}
    pairs: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for pair in repeats.to_pylist():
        kept, dropped = pair["kept_delivery"], pair["dropped_delivery"]
        if {kept, dropped} & ids and not is_accepted(look.lake, dropped):
            pairs.setdefault((kept, dropped), []).append((pair["kept_row"], pair["dropped_row"]))
    doubts = []
    for (kept, dropped), places in sorted(pairs.items()):
        outcome = by_id[dropped]
        feed = load_feeds()[outcome.feed]
        kept_rows, dropped_rows = zip(*places, strict=True)
        look.con.register("pairs", pa.table({"kept_row": kept_rows, "dropped_row": dropped_rows}))
        first = f"(select * from {look.rows(by_id[kept])} join pairs on _row = kept_row)"
        again = f"(select * from {look.rows(outcome)} join pairs on _row = dropped_row)"
        count, columns = look.differences(feed, again, first, ("kept_row", "dropped_row"))
        look.con.unregister("pairs")
        if count:
            sentence = (
                f"{dropped}: {count} of {outcome.rows_loaded} rows tell a {feed.key[0]} again that {kept} tells "
                f"otherwise ({columns}): the one known first counts; send a new version of the delivery that is wrong"
            )
            doubts.append(Doubt(outcome, sentence, look.is_beyond(outcome, count)))
    return doubts


def _by_feed(outcomes: Iterable[Outcome]) -> list[tuple[Feed, list[Outcome]]]:
    ordered = sorted(outcomes, key=lambda outcome: outcome.feed)
    return [(load_feeds()[name], list(group)) for name, group in groupby(ordered, lambda outcome: outcome.feed)]


def _find_unknown(con: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, name: str, values: str) -> bool:
    """Keep, in a temporary table, the values that no delivery of the feed has told; whether there are any.

    Key columns alone are read, once for all columns that refer to the feed. Its earlier snapshots count, too; they are
    read for what the newest does not tell. Where the feed has told nothing at all, nothing is unknown.
    """
    feed = load_feeds()[name]
    told = [item.outcome for item in pin.of(name) if feed.is_snapshot or item.superseded_date is None]
    told.sort(key=lambda outcome: (outcome.cutoff_date, outcome.period, outcome.version))
    table, key, left = _unknown(name), identifier(feed.key[0]), 0
    con.execute(
        f"create or replace temp table {table} as select distinct value from ({values}) where value is not null"
    )
    for outcomes in (told[-1:], told[:-1]) if feed.is_snapshot else (told,):
        if outcomes:
            paths = ", ".join(literal(str(outcome.rows_path(lake))) for outcome in outcomes)
            keys = f"select {key} as value from read_parquet([{paths}], hive_partitioning = false)"
            con.execute(f"delete from {table} where value in (select value from {table} join ({keys}) using (value))")
            left = con.execute(f"select count(*) from {table}").fetchall()[0][0]
        if not left:
            break
    return left > 0


def _values(column: str, rows: str) -> str:
    return f"select {identifier(column)} as value from {rows}"


def _unknown(name: str) -> str:
    """The table of `_find_unknown`."""
    return identifier(f"unknown_{name}")


def _is_unknown(column: str, name: str) -> str:
    return f"{identifier(column)} in (select value from {_unknown(name)})"


def _excused(pin: Pin, name: str) -> float:
    """How many values of a feed may be missing because a person has been told that rows of it are bad."""
    items = [item.outcome for item in pin.of(name) if item.superseded_date is None]
    accepted = {outcome.period for outcome in items}
    if any(outcome.feed == name and outcome.period not in accepted for outcome in pin.rejected):
        return math.inf
    return sum(outcome.rows_quarantined for outcome in items)


def _may_tell_the_same(other: Outcome, outcome: Outcome) -> bool:
    """Whether another delivery of the feed has rows of the days of which this one has late rows."""
    if other.feed != outcome.feed or other == outcome or not (other.min_business_date and other.max_business_date):
        return False
    assert outcome.min_business_date is not None, "it has late rows"
    return other.min_business_date < _start(outcome) and other.max_business_date >= outcome.min_business_date


def _start(outcome: Outcome) -> date:
    return Period(outcome.period).start
