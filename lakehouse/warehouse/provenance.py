"""Which files and rows stand behind a customer: their records in every feed, by the references of the contracts."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from itertools import groupby

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
    with duckdb.connect() as con:
        parties = con.execute(
            f"select party_key from read_parquet({literal(str(lake.xref_file(settings.lake, pin)))}) "
            "where customer_key = $1 and valid_from <= $2 and (valid_to is null or valid_to > $2)",
            [customer_key, day],
        ).fetchall()
        if not parties:
            raise Stop(f"no record belongs to {customer_key} on {day}", "`c360 customer` finds customers by their key")
        listed: list[Behind] = []
        for feed, column in _ways(load_feeds()):
            deliveries = _current(settings, pin, feed.name)
            prefix = f"{ROOTS.get(feed.name)}:"
            own = [party.removeprefix(prefix) for (party,) in parties if party.startswith(prefix)]
            _keep_rows(con, feed, column, list(deliveries), own)
            if not feeds or feed.name in feeds:
                listed += _behind(con, feed.name, deliveries)
    return listed


def _current(settings: Settings, pin: Pin, feed: str) -> dict[str, str]:
    """Path -> id of the feed's deliveries that no newer version has replaced."""
    return {
        str(item.outcome.rows_path(settings.lake)): item.outcome.delivery_id
        for item in pin.of(feed)
        if item.superseded_date is None or item.superseded_date > pin.business_date
    }


def _ways(feeds: dict[str, Feed]) -> Iterator[tuple[Feed, str | None]]:
    """Feeds with rows about customers, each after the feed that its rows are found by, and by which column.

    The first column that references such a feed says whose a row is; others name agents and owners.
    """
    parents = {
        name: next(((c.name, c.references) for c in feed.columns if c.references and c.references != name), None)
        for name, feed in feeds.items()
        if name not in ROOTS
    }
    order = TopologicalSorter({name: [parent[1]] if parent else [] for name, parent in parents.items()}).static_order()
    yield from ((feeds[name], None) for name in ROOTS)
    reached = set(ROOTS)
    for name in order:
        if (parent := parents.get(name)) and parent[1] in reached:
            reached.add(name)
            yield feeds[name], parent[0]


def _keep_rows(
    con: duckdb.DuckDBPyConnection, feed: Feed, column: str | None, paths: list[str], own: list[str]
) -> None:
    """Make the table ``behind_<feed>`` of the customer's rows.

    Parameters
    ----------
    column : str, optional
        That references the feed whose rows are kept already; None: ``own`` has the customer's keys in this feed.
    """
    con.execute(f"create table {_table(feed.name)} (key varchar, path varchar, file varchar, row bigint)")
    if not paths:
        return
    key = _in_lake(feed, feed.key[0])
    if column is None:
        place, theirs, parameters = key, "select unnest($own)", {"own": own}
    else:
        parent = next(each.references for each in feed.columns if each.name == column)
        place, theirs, parameters = _in_lake(feed, column), f"select key from {_table(str(parent))}", {}
    con.execute(
        f"insert into {_table(feed.name)} select cast({key} as varchar), filename, _file, _row "
        "from read_parquet($paths, union_by_name = true, filename = true, hive_partitioning = false) "
        f"where cast({place} as varchar) in ({theirs})",
        {"paths": paths, **parameters},
    )


def _behind(con: duckdb.DuckDBPyConnection, feed: str, deliveries: Mapping[str, str]) -> list[Behind]:
    query = f"select path, file, list(row order by row) from {_table(feed)} group by all order by all"
    return [
        Behind(feed, deliveries[path], file, len(numbers), ranges(numbers))
        for path, file, numbers in con.execute(query).fetchall()
    ]


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
