"""Which files and rows stand behind a customer: their records in every feed, by what the contracts say of columns."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from graphlib import TopologicalSorter
from itertools import groupby
from pathlib import Path

import duckdb

from lakehouse import lake, warehouse
from lakehouse.contracts import Feed, load_feeds
from lakehouse.errors import Stop
from lakehouse.lake import Pin
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal

ROOTS = {"customers": "cif", "registrations": "online", "social_leads": "lead"}  # feed -> prefix of its party keys


@dataclass(frozen=True)
class Behind:
    """Rows of one file of a delivery.

    Attributes
    ----------
    lines : str
        Numbers of their lines in the file, of which a header is the first: ``3-5, 9``.
    """

    feed: str
    delivery: str
    file: str
    row_count: int
    lines: str


@dataclass(frozen=True)
class DeliveredRow:
    """One row of a delivery, whole."""

    feed: str
    delivery: str
    file: str
    line: int  # in the file, of which a header is the first
    is_current: bool  # no newer version has taken its place; of an event within the day never: it is delivered again
    values: Mapping[str, object]  # by column of the lake's file, the contract's and the tokens


@dataclass(frozen=True)
class Way:
    """How the rows of a feed lead to a customer: by columns that hold a party key, or the key of another feed."""

    feed: Feed
    columns: tuple[str, ...] = ()  # empty: the feed's own key is part of the party key
    parent: str | None = None  # feed whose key is in the column; None: the columns hold party keys


def rows_behind(settings: Settings, customer_key: str, feeds: Collection[str] = ()) -> list[Behind]:
    """The customer's rows as the last published date knows them; no value of them is shown.

    An account's postings are the customer's; what they do for others, as an agent or an owner, is not. Newer versions
    take the place of older ones; of an event that was told twice, both rows are listed.

    Parameters
    ----------
    feeds : collection of str
        Of which rows are listed, for instance those that a column derives from; by default all.

    Raises
    ------
    Stop
        If no record belongs to the customer.
    """
    day = warehouse.last_published(settings)
    pin = lake.pin(settings.lake, day)
    current = {name: _current(settings, pin, name) for name in load_feeds()}
    with _kept(parties_of(settings, customer_key), current) as con:
        return [
            behind
            for way in ways()
            if not feeds or way.feed.name in feeds
            for behind in _behind(con, way.feed.name, current[way.feed.name])
        ]


def records_behind(settings: Settings, parties: Collection[str]) -> Iterator[DeliveredRow]:
    """The rows of a customer with these records in every delivery of the lake.

    Versions of before are among them, and events within the day.
    """
    pin = lake.pin(settings.lake, date.max)
    every = {name: _every(settings.lake, name) for name in load_feeds()}
    with _kept(parties, every) as con:
        for way in ways():
            current = _current(settings, pin, way.feed.name)
            deliveries = every[way.feed.name]
            for path, file, line, values in _whole(con, way.feed.name, list(deliveries)):
                yield DeliveredRow(way.feed.name, deliveries[path], file, line, path in current, values)


def parties_of(settings: Settings, customer_key: str) -> list[str]:
    """The keys of the customer's records on the last published date.

    Raises
    ------
    Stop
        If no record belongs to the customer.
    """
    day = warehouse.last_published(settings)
    xref = lake.xref_file(settings.lake, lake.pin(settings.lake, day))
    with duckdb.connect() as con:
        found = con.execute(
            f"select party_key from read_parquet({literal(str(xref))}) "
            "where customer_key = $1 and valid_from <= $2 and (valid_to is null or valid_to > $2) order by 1",
            [customer_key, day],
        ).fetchall()
    if not found:
        raise Stop(f"no record belongs to {customer_key} on {day}", "`c360 customer` finds customers by their key")
    return [party for (party,) in found]


def ways(feeds: Mapping[str, Feed] | None = None) -> list[Way]:
    """How every feed's rows lead to a customer, each after the feed that its rows are found by.

    The first column that references such a feed says whose a row is; others name agents and owners.

    Raises
    ------
    Stop
        If a contract names no way, and does not say that no row is about a customer: the rows of a person would be
        forgotten.
    """
    known = load_feeds() if feeds is None else feeds
    found = [Way(known[name]) for name in ROOTS if name in known]
    reached = {way.feed.name for way in found}
    parents = {
        name: _parent(feed, known) for name, feed in known.items() if name not in reached and not feed.about_nobody
    }
    order = TopologicalSorter({name: [parent[1]] if parent else [] for name, parent in parents.items()}).static_order()
    for name in order:
        if name not in parents:
            continue
        feed, parent = known[name], parents[name]
        if by_party := tuple(column.name for column in feed.columns if column.is_party_key):
            found.append(Way(feed, by_party))
        elif parent and parent[1] in reached:
            found.append(Way(feed, (parent[0],), parent[1]))
        else:
            raise Stop(
                f"{name}: its contract does not say whose a row is",
                "give a column `references` to a feed of customers, or `partyKey`; or say `aboutNobody`, and why",
            )
        reached.add(name)
    return found


def _parent(feed: Feed, feeds: Mapping[str, Feed]) -> tuple[str, str] | None:
    """The first column that references a feed of customers, and the feed."""
    about_customers = {name for name, other in feeds.items() if name != feed.name and not other.about_nobody}
    named = ((column.name, column.references) for column in feed.columns)
    return next(((name, parent) for name, parent in named if parent in about_customers), None)


def _current(settings: Settings, pin: Pin, feed: str) -> dict[str, str]:
    """Path -> id of the feed's deliveries that no newer version has replaced."""
    return {
        str(item.outcome.rows_path(settings.lake)): item.outcome.delivery_id
        for item in pin.of(feed)
        if item.superseded_date is None or item.superseded_date > pin.business_date
    }


def _every(root: Path, feed: str) -> dict[str, str]:
    """Path -> id of every delivery of the feed that has rows in the lake, and of its events within the day.

    Deliveries that were taken back are among them.
    """
    raw, intraday = (sorted((root / kind / feed).glob("*=*/[!.]*.parquet")) for kind in ("raw", "intraday"))
    return {str(path): f"{feed}/{path.parent.name.partition('=')[2]}/{path.stem}" for path in raw} | {
        str(path): f"intraday/{path.parent.name.partition('=')[2]}/{path.stem}" for path in intraday
    }


@contextmanager
def _kept(
    parties: Collection[str], deliveries: Mapping[str, Mapping[str, str]]
) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection with a table ``behind_<feed>`` of the places of the customer's rows."""
    with duckdb.connect() as con:
        for way in ways():
            _keep_rows(con, way, list(deliveries[way.feed.name]), parties)
        yield con


def _keep_rows(con: duckdb.DuckDBPyConnection, way: Way, paths: list[str], parties: Collection[str]) -> None:
    """Make the table of the customer's rows in a feed."""
    feed, prefix = way.feed, f"{ROOTS.get(way.feed.name)}:"
    con.execute(f"create table {_table(feed.name)} (key varchar, path varchar, file varchar, row bigint)")
    if not paths:
        return
    key = _in_lake(feed, feed.key[0])
    places, theirs, own = [_in_lake(feed, name) for name in way.columns], "select unnest($own)", list(parties)
    if way.parent:
        theirs = f"select key from {_table(way.parent)}"
    elif not places:
        places, own = [key], [party.removeprefix(prefix) for party in parties if party.startswith(prefix)]
    con.execute(
        f"insert into {_table(feed.name)} select cast({key} as varchar), filename, _file, _row "
        "from read_parquet($paths, union_by_name = true, filename = true, hive_partitioning = false) "
        f"where {' or '.join(f'cast({place} as varchar) in ({theirs})' for place in places)}",
        {"paths": paths} | ({} if way.parent else {"own": own}),
    )


def _behind(con: duckdb.DuckDBPyConnection, feed: str, deliveries: Mapping[str, str]) -> list[Behind]:
    query = f"select path, file, list(row order by row) from {_table(feed)} group by all order by all"
    return [
        Behind(feed, deliveries[path], file, len(numbers), ranges(numbers))
        for path, file, numbers in con.execute(query).fetchall()
    ]


def _whole(
    con: duckdb.DuckDBPyConnection, feed: str, paths: list[str]
) -> Iterator[tuple[str, str, int, dict[str, object]]]:
    """Path, landed file, line and values of every row of the feed that was kept, in the order of the deliveries."""
    if not paths:
        return
    rows = con.sql(
        "select * from read_parquet($paths, union_by_name = true, filename = true, hive_partitioning = false) "
        f"where (filename, _file, _row) in (select (path, file, row) from {_table(feed)}) order by filename, _row",
        params={"paths": paths},
    ).to_arrow_table()
    for row in rows.to_pylist():
        yield row.pop("filename"), row.pop("_file"), row.pop("_row"), row


def ranges(numbers: Iterable[int]) -> str:
    """Growing numbers, written short.

    >>> ranges([3, 4, 5, 9])
    '3-5, 9'
    """
    runs = []
    for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]):
        members = [number for _, number in run]
        runs.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ", ".join(runs)


def _in_lake(feed: Feed, column: str) -> str:
    """The column as the lake has it: the token in place of a number."""
    return identifier(f"{column}_token" if column in feed.tokenised else column)


def _table(feed: str) -> str:
    return identifier(f"behind_{feed}")
