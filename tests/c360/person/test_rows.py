"""Every feed leads to the people whom it is about: the rows of one are found in all of them, and of nobody else."""

import json
from dataclasses import replace

import pytest

from lakehouse.contracts import Column, load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse.provenance import ROOTS, DeliveredRow, Way, records_behind, ways
from lakehouse.warehouse.refused import refused_of
from tests.conftest import temporary_settings
from tests.lakehouse.ingestion.bank import DAY, Bank

VALUES = {"date": DAY, "timestamp": f"{DAY} 10:00:00", "boolean": "true", "integer": "1"}
PEOPLE = ("71", "82")  # the digits in whatever is of one person


def test_a_feed_that_says_of_nobody_whose_its_rows_are_is_refused() -> None:
    assert {way.feed.name for way in ways()} == {name for name, feed in load_feeds().items() if not feed.about_nobody}
    feed = load_feeds()["complaints"]
    silent = replace(feed, columns=tuple(replace(column, references=None) for column in feed.columns))
    with pytest.raises(Stop, match="complaints: its contract does not say whose a row is"):
        ways({**load_feeds(), "complaints": silent})


def key_of(feed: str, person: str) -> str:
    """The key of the one row that a feed has of a person."""
    number = list(load_feeds()).index(feed)
    return f"62{number:02}{person}0000{person}"


def text_of(column: Column, way: Way, person: str) -> str:
    """What stands in a column of the person's row."""
    if column.name in way.columns:
        return key_of(way.parent, person) if way.parent else f"cif:{key_of('customers', person)}"
    if column.name == way.feed.key[0]:
        return key_of(way.feed.name, person)
    if column.allowed:
        return column.allowed[0]
    if not (column.is_required or column.is_pii):
        return ""
    if column.references:
        return "B01"
    return VALUES.get(column.type, "7" if column.type.startswith("decimal") else f"{column.name} of {person}")


def row_of(way: Way, person: str) -> dict[str, str | bool | int | float]:
    """A row of the feed that is the person's, as the feed is delivered."""
    row = {column.name: text_of(column, way, person) for column in way.feed.columns}
    if way.feed.format == "delimited":
        return row
    made = {"boolean": lambda text: text == "true", "integer": int}
    types = {
        column.name: "decimal" if column.type.startswith("decimal") else column.type for column in way.feed.columns
    }
    return {name: made.get(types[name], float if types[name] == "decimal" else str)(text)
            for name, text in row.items() if text}  # fmt: skip


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """A lake with a row of either person in every feed that is about people."""
    made = Bank(temporary_settings(tmp_path_factory.mktemp("people")))
    for way in ways():
        made.deliver(way.feed.name, [row_of(way, person) for person in PEOPLE])
        (outcome,) = made.ingest(way.feed.name)
        assert (outcome.rows_loaded, outcome.rows_quarantined) == (len(PEOPLE), 0), made.quarantine(outcome)
    return made


def parties(person: str) -> list[str]:
    return [f"{prefix}:{key_of(feed, person)}" for feed, prefix in ROOTS.items()]


def found(settings: Settings, person: str) -> dict[str, list[DeliveredRow]]:
    rows: dict[str, list[DeliveredRow]] = {way.feed.name: [] for way in ways()}
    for row in records_behind(settings, parties(person)):
        rows[row.feed].append(row)
    return rows


@pytest.mark.parametrize("person", PEOPLE)
def test_a_person_s_rows_are_found_in_every_feed_and_nobody_else_s(bank: Bank, person: str) -> None:
    (other,) = set(PEOPLE) - {person}
    known = {way.feed.name: row_of(way, person) for way in ways()}
    for feed, rows in found(bank.settings, person).items():
        assert len(rows) == 1, feed
        key = load_feeds()[feed].key[0]
        assert rows[0].values[key] == known[feed][key]
        assert (rows[0].line - (load_feeds()[feed].format == "delimited"), rows[0].is_current) == (
            PEOPLE.index(person) + 1,
            True,
        )
        assert rows[0].delivery.startswith(f"{feed}/{DAY}/v1-")
        told = json.dumps(dict(rows[0].values), default=str)
        assert not any(key_of(name, other) in told for name in load_feeds()), feed


def test_a_row_that_a_newer_version_replaces_is_shown_as_such(bank: Bank) -> None:
    way = next(way for way in ways() if way.feed.name == "complaints")
    bank.deliver("complaints", [row_of(way, PEOPLE[0])], version=2)
    bank.ingest("complaints")
    rows = found(bank.settings, PEOPLE[0])["complaints"]
    assert [(row.delivery.split("/")[2][:2], row.is_current) for row in rows] == [("v1", False), ("v2", True)]


def test_refused_rows_are_shown_and_those_of_others_by_their_place_alone(bank: Bank) -> None:
    way = next(way for way in ways() if way.feed.name == "transactions")
    mine, others = (row_of(way, person) for person in PEOPLE)
    mine |= {"txn_id": "T-bad-1", "amount": "a lot"}
    others |= {"txn_id": "T-bad-2", "amount": "a lot", "counterparty_account": key_of("accounts", PEOPLE[0])}
    bank.deliver("transactions", [mine, others], period="2026-01-06", sums={"amount": "0"})
    bank.ingest("transactions")
    numbers = {feed.name: {key_of(feed.name, PEOPLE[0])} for feed in load_feeds().values()}
    told = {row.line: row for row in refused_of(bank.settings.lake, parties(PEOPLE[0]), numbers)}
    assert set(told) == {2, 3}
    assert told[2].text and "T-bad-1" in told[2].text and told[2].reason == "invalid_type amount"
    assert told[3].text is None
