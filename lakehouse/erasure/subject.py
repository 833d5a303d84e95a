"""Who is erased: the records of one customer, their numbers, and the texts by which they could be found again."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
from pydantic import SecretStr

from lakehouse.contracts import CARD_NUMBERS, load_feeds
from lakehouse.errors import Stop
from lakehouse.identity.link import opened_records
from lakehouse.identity.linkage import Linkage
from lakehouse.ingestion import rules
from lakehouse.lake import pin_of, read_outcomes
from lakehouse.lake.erasures import PSEUDONYM, Erasure, ErasureKey, Tie
from lakehouse.lake.places import xref_file
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal

PARTY_KINDS = {"cif": "customer_no", "online": "user_id", "lead": "lead_id"}  # source of a party record -> its number
NAMED_IN = {"customers": "customer_no", "registrations": "user_id", "social_leads": "lead_id"}
_LEAST_LENGTH = 2  # of a text that is looked for: one character is everywhere
_LEAST_DIGITS = 5  # of a number that is


@dataclass(frozen=True)
class Subject:
    """One customer, in clear: kept beside the lake while the erasure lasts, and nowhere else."""

    numbers: Mapping[str, tuple[str, ...]]  # kind -> numbers
    texts: tuple[str, ...]  # names, addresses, documents and numbers, as they were delivered
    records: tuple[str, ...]  # digests under which identity has compared the records
    xref: tuple[Tie, ...]  # what tied the records, and when; here with their keys

    @property
    def parties(self) -> tuple[str, ...]:
        """The party keys of the records."""
        return self.numbers["party_key"]

    def entries(self, key: ErasureKey) -> dict[str, tuple[str, ...]]:
        """What the list of erasures holds instead: keyed hashes, by kind. Texts are listed in every writing."""
        texts = {writing for text in self.texts for writing in _writings(text)}
        kinds = {**self.numbers, "value": tuple(texts)}
        return {
            kind: tuple(sorted(key.entry(kind, value) for value in values))
            for kind, values in sorted(kinds.items())
            if values
        }

    def tokens(self, secret: SecretStr, key: ErasureKey) -> tuple[str, ...]:
        """Hashes of the tokens by which the system knew the numbers and texts: a proof can be held against files."""
        writings = {writing for text in self.texts for writing in _writings(text)}
        token_key = secret.get_secret_value().encode()
        tokens = (hmac.digest(token_key, writing.encode(), "sha256").hex() for writing in writings)
        return tuple(sorted(key.entry("token", token) for token in tokens))

    def ties(self, key: ErasureKey) -> tuple[Tie, ...]:
        """What tied the records, without their keys."""
        return tuple(
            replace(tie, party=key.entry("party_key", tie.party), customer=key.entry("party_key", tie.customer))
            for tie in self.xref
        )


def parties_of(lake: Path, key: str) -> list[str]:
    """The party keys of the customer to whom a customer key or party key belongs today."""
    current = {row["party_key"]: row["customer_key"] for row in _xref_rows(lake) if row["valid_to"] is None}
    customer = current.get(key)
    return sorted(party for party, owner in current.items() if owner == customer) if customer else [key]


def find(settings: Settings, parties: list[str]) -> Subject:
    """All about the customer with these records.

    Raises
    ------
    Stop
        If the lake has none of them.
    """
    rows = _xref_rows(settings.lake)
    ties = tuple(
        Tie(
            party=row["party_key"],
            customer=row["customer_key"],
            rule=row["rule"].split(",")[0],
            weight=row["match_weight"],
            since=row["valid_from"],
            until=row["valid_to"],
        )
        for row in rows
        if row["party_key"] in parties and row["customer_key"] in parties and row["party_key"] != row["customer_key"]
    )
    return _subject(settings, parties, ties)


def of_entries(settings: Settings, erasure: Erasure, key: ErasureKey) -> Subject | None:
    """Who an erasure is about, in a lake that still has the person: one that was restored. None: it has nobody."""
    listed = set(erasure.entries.get("party_key", ()))
    with _lake(settings) as con:
        parties = [
            party
            for feed, kind in NAMED_IN.items()
            for party in _keys(con, settings.lake, feed, kind)
            if key.entry("party_key", party) in listed
        ]
    return _subject(settings, parties, ()) if parties else None


def _subject(settings: Settings, parties: list[str], ties: tuple[Tie, ...]) -> Subject:
    numbers: dict[str, tuple[str, ...]] = {"party_key": tuple(parties)}
    for source, kind in PARTY_KINDS.items():
        found = (party.removeprefix(f"{source}:") for party in parties if party.startswith(f"{source}:"))
        numbers[kind] = tuple(sorted(found))
    with _lake(settings) as con:
        texts = set()
        for feed, kind in NAMED_IN.items():
            texts |= _texts(con, settings.lake, feed, kind, numbers[kind])
        is_known = any(_rows(con, settings.lake, feed, kind, numbers[kind]) for feed, kind in NAMED_IN.items())
        numbers["account_no"] = _owned(con, settings.lake, "accounts", "account_no", numbers["customer_no"])
        cards = _owned(con, settings.lake, "cards", "card_no", numbers["customer_no"])
        numbers["card_no"] = tuple(sorted({*cards, *_bound(con, settings.lake, numbers["user_id"])}))
    if not is_known:
        raise Stop("no record has this key", "give a customer key or a party key, as c360 customer shows them")
    outcomes = read_outcomes(settings.lake)
    pin = pin_of(outcomes, max(outcome.cutoff_date for outcome in outcomes))
    with opened_records(settings, pin, Linkage.read(), parties) as con:
        records = tuple(sorted(record for (record,) in con.execute("select record_id from party_records").fetchall()))
    whole = {*texts, *numbers["account_no"], *numbers["card_no"]}
    return Subject(numbers, tuple(sorted(filter(_is_telling, whole))), records, ties)


def _xref_rows(lake: Path) -> list[dict]:
    """The cross-reference of all that is known; where it was not made, the one that was made last."""
    outcomes = read_outcomes(lake)
    known = xref_file(lake, pin_of(outcomes, max((one.cutoff_date for one in outcomes), default=date.min)))
    made = (lake / "identity").glob("[!.]*.parquet")
    path = known if known.exists() else max(made, key=lambda path: path.stat().st_mtime_ns, default=None)
    return pq.read_table(path).to_pylist() if path else []


def _lake(settings: Settings) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    rules.create_token_macro(con, settings.token_secret)
    return con


def _files(lake: Path, feed: str) -> str | None:
    """SQL of all rows that a feed has in the lake, of every version."""
    paths = sorted(str(path) for path in (lake / "raw" / feed).rglob("[!.]*.parquet"))
    listed = ", ".join(map(literal, paths))
    return f"read_parquet([{listed}], hive_partitioning = false, union_by_name = true)" if paths else None


def _in(values: tuple[str, ...]) -> str:
    return f"({', '.join(map(literal, values))})"


def _keys(con: duckdb.DuckDBPyConnection, lake: Path, feed: str, kind: str) -> list[str]:
    source = next(source for source, of in PARTY_KINDS.items() if of == kind)
    rows = _files(lake, feed)
    found = con.execute(f"select distinct {identifier(kind)} from {rows}").fetchall() if rows else []
    return [f"{source}:{number}" for (number,) in found]


def _rows(con: duckdb.DuckDBPyConnection, lake: Path, feed: str, kind: str, numbers: tuple[str, ...]) -> int:
    rows = _files(lake, feed)
    if not (rows and numbers):
        return 0
    return con.execute(f"select count(*) from {rows} where {identifier(kind)} in {_in(numbers)}").fetchall()[0][0]


def _texts(con: duckdb.DuckDBPyConnection, lake: Path, feed: str, kind: str, numbers: tuple[str, ...]) -> set[str]:
    """What names the person in a feed: every personal text that its contract blanks."""
    rows, contract = _files(lake, feed), load_feeds()[feed]
    blank = contract.erasure.blank if contract.erasure else ()
    columns = [
        column
        for column in contract.columns
        if column.name in blank and column.is_pii and column.type == "varchar" and column.name not in CARD_NUMBERS
    ]
    if not (rows and numbers):
        return set()
    found = set()
    for column in columns:
        select = f"select distinct {identifier(column.name)} from {rows} where {identifier(kind)} in {_in(numbers)}"
        found |= {text for (text,) in con.execute(select).fetchall() if text}
    return found


def _owned(
    con: duckdb.DuckDBPyConnection, lake: Path, feed: str, name: str, owners: tuple[str, ...]
) -> tuple[str, ...]:
    """Numbers of accounts or cards that were the customer's, and never another's."""
    rows = _files(lake, feed)
    if not (rows and owners):
        return ()
    number = rules.normalised(next(column for column in load_feeds()[feed].columns if column.name == name))
    found = con.execute(
        f"select {number} as number from {rows} group by 1 having bool_and(customer_no in {_in(owners)}) "
        f"and not starts_with(number, {literal(PSEUDONYM)}) order by 1"
    ).fetchall()
    return tuple(value for (value,) in found if value)


def _bound(con: duckdb.DuckDBPyConnection, lake: Path, users: tuple[str, ...]) -> set[str]:
    """Numbers of cards that the person bound online, and that are no other customer's."""
    rows, cards, registrations = _files(lake, "registrations"), _files(lake, "cards"), load_feeds()["registrations"]
    if not (rows and users):
        return set()
    number = rules.normalised(next(column for column in registrations.columns if column.name == "bound_card_no"))
    found = con.execute(f"select distinct {number} from {rows} where user_id in {_in(users)}").fetchall()
    others = con.execute(f"select distinct card_no from {cards}").fetchall() if cards else []
    return {value for (value,) in found if value} - {_writing_of_digits(value) for (value,) in others if value}


def _writing_of_digits(text: str) -> str:
    return "".join(character for character in text if character in "0123456789")


def _is_telling(text: str) -> bool:
    """Whether a text can be looked for without finding what is of others."""
    return len(text) >= (_LEAST_DIGITS if text.isdecimal() else _LEAST_LENGTH)


_WRITINGS: tuple[Callable[[str], str], ...] = (
    str.strip,
    str.lower,
    str.upper,
    _writing_of_digits,
)


def _writings(text: str) -> set[str]:
    return {written for write in _WRITINGS if _is_telling(written := write(text.strip()))}
