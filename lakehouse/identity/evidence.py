"""Evidence in the lake: which party records are known, what ties two of them, what separates them, and since when."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from lakehouse.contracts import load_feeds
from lakehouse.identity.linkage import Linkage
from lakehouse.lake import Pin

FOREVER = date.max
FEEDS = ("customers", "registrations", "social_leads", "cards", "identity_decisions")


@dataclass(frozen=True)
class Party:
    """One party record, and the half-open span of business dates on which it is known."""

    party_key: str
    known_from: date
    known_to: date


@dataclass(frozen=True)
class Edge:
    """Two party records that are one customer by ``rule``, and the half-open span on which that is known.

    A clerk's ``different`` is the opposite. ``tolerates`` names facts in which the two may differ (see `Fact`).
    """

    left: str
    right: str
    rule: str  # "id_token", "bound_card", "lead", "similar", "clerk", "different"
    known_from: date
    known_to: date
    weight: float | None = None  # bits, of similar records
    tolerates: tuple[str, ...] = ()
    is_alone: bool = False  # holds only where neither customer has a record of the other's feeds


@dataclass(frozen=True)
class Fact:
    """A value of which a person has one: records that differ in it are two customers."""

    party_key: str
    kind: str  # "id_no", "birth_date", "party_type"
    value: str
    known_from: date
    known_to: date


# A record's rows are joined by value; the span of an edge is the time on which both rows were known. Star-shaped on
# purpose: every record of a token is tied to the token's first record, so n records give n - 1 edges, not n * n.
EVIDENCE = """
create temp view party_rows as
select 'cif:' || customer_no as party_key, id_no_token, party_type, birth_date, known_from, known_to from customers
union all
select 'online:' || user_id, id_no_token, case when regexp_full_match(upper(id_no), getvariable('enterprise_id'))
       then 'E' else 'P' end, birth_date, known_from, known_to
from registrations
union all select 'lead:' || lead_id, null, null, null, known_from, known_to from social_leads;

create temp view first_of_token as
select id_no_token, party_type, min_by(party_key, (known_from, party_key)) as party_key
from party_rows where id_no_token is not null group by id_no_token, party_type;

create temp view id_edges as
select firsts.party_key as a, others.party_key as b, 'id_token' as rule,
       greatest(first_rows.known_from, others.known_from) as known_from,
       least(first_rows.known_to, others.known_to) as known_to
from first_of_token as firsts
join party_rows as first_rows using (party_key, id_no_token)
join party_rows as others
  on others.id_no_token = firsts.id_no_token and others.party_type = firsts.party_type
 and others.party_key <> firsts.party_key;

create temp view card_edges as
select 'cif:' || cards.customer_no as a, 'online:' || users.user_id as b, 'bound_card' as rule,
       greatest(cards.known_from, users.known_from) as known_from, least(cards.known_to, users.known_to) as known_to
from registrations as users
join cards on cards.card_no_token = users.bound_card_no_token;

create temp view lead_edges as
select 'lead:' || leads.lead_id as a, 'online:' || users.user_id as b, 'lead' as rule,
       greatest(leads.known_from, users.known_from) as known_from, least(leads.known_to, users.known_to) as known_to
from registrations as users join social_leads as leads using (lead_id);

-- The last word of a clerk on a pair counts until the next; "withdrawn" leaves the pair to the other evidence.
create temp view decisions as
select least(left_party_key, right_party_key) as a, greatest(left_party_key, right_party_key) as b,
       case decision when 'same' then 'clerk' else decision end as rule, known_from,
       least(known_to, coalesce(lead(known_from) over (
           partition by least(left_party_key, right_party_key), greatest(left_party_key, right_party_key)
           order by known_from, business_date, decision_id), known_to)) as known_to
from identity_decisions;
"""

PARTIES = """
select party_key, min(known_from) as known_from, max(known_to) as known_to
from party_rows group by party_key order by party_key
"""

EDGES = """
select a, b, rule, min(known_from) as known_from, known_to
from (select * from id_edges union all select * from card_edges union all select * from lead_edges
      union all select * from decisions where rule <> 'withdrawn')
where known_from < known_to
group by a, b, rule, known_to
order by known_from, a, b, rule, known_to
"""

SIMILAR = """
create temp view similar_pairs as
select least(lefts.party_key, rights.party_key) as a, greatest(lefts.party_key, rights.party_key) as b,
       pairs.* exclude (left_record, right_record),
       greatest(lefts.known_from, rights.known_from) as known_from, least(lefts.known_to, rights.known_to) as known_to
from compared_pairs as pairs
join party_records as lefts on lefts.record_id = pairs.left_record
join party_records as rights on rights.record_id = pairs.right_record
where greatest(lefts.known_from, rights.known_from) < least(lefts.known_to, rights.known_to)
"""

SIMILAR_EDGES = """
select a, b, known_from, known_to, max(match_weight), bool_or(tolerates_id_no), bool_or(tolerates_birth_date),
       bool_and(is_alone)
from similar_pairs where is_accepted
group by a, b, known_from, known_to
order by known_from, a, b, known_to
"""

FACTS = """
select party_key, kind, value, min(known_from), max(known_to)
from (
    select party_key, 'id_no' as kind, id_no_token as value, known_from, known_to from party_rows
    union all select party_key, 'birth_date', cast(birth_date as varchar), known_from, known_to from party_rows
    union all select 'cif:' || customer_no, 'party_type', party_type, known_from, known_to from customers
)
where value is not null and party_key in (select unnest(cast($parties as varchar[])))
group by party_key, kind, value
order by all
"""


def open_lake(con: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, linkage: Linkage) -> None:
    """Give ``con`` the rows of the feeds with party records, as known by the pin, superseded deliveries included."""
    con.execute("set threads = 2")
    con.execute("set variable enterprise_id = $1", [linkage.enterprise_id])
    for feed in FEEDS:
        _attach(con, lake, pin, feed)
    con.execute(EVIDENCE)


def parties(con: duckdb.DuckDBPyConnection) -> list[Party]:
    """All party records, by key."""
    return [Party(*row) for row in con.execute(PARTIES).fetchall()]


def exact_edges(con: duckdb.DuckDBPyConnection) -> list[Edge]:
    """Documents, cards, leads and clerks' decisions, by the date from which they are known."""
    tolerated = {"id_token": ("birth_date",), "clerk": ("id_no", "birth_date", "party_type")}
    return [
        Edge(left, right, rule, start, end, tolerates=tolerated.get(rule, ()))
        for left, right, rule, start, end in con.execute(EDGES).fetchall()
    ]


def similar_edges(con: duckdb.DuckDBPyConnection) -> list[Edge]:
    """Pairs that the model accepts, by the date from which they are known; needs ``compared_pairs``."""
    con.execute(SIMILAR)
    return [
        Edge(
            left,
            right,
            "similar",
            start,
            end,
            weight,
            tuple(kind for kind, holds in (("id_no", id_no), ("birth_date", birth_date)) if holds),
            is_alone,
        )
        for left, right, start, end, weight, id_no, birth_date, is_alone in con.execute(SIMILAR_EDGES).fetchall()
    ]


def facts(con: duckdb.DuckDBPyConnection, edges: list[Edge]) -> list[Fact]:
    """The facts that may separate records that the edges tie."""
    tied = sorted({key for edge in edges for key in (edge.left, edge.right)})
    return [Fact(*row) for row in con.execute(FACTS, {"parties": tied}).fetchall()]


def _attach(con: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, feed: str) -> None:
    """A temporary table of the feed's rows with the span on which each was known."""
    columns = ", ".join(f"{name} {kind}" for name, kind in load_feeds()[feed].lake_columns if not name.startswith("_"))
    con.execute(f"create temp table {feed} ({columns}, known_from date, known_to date)")
    for item in pin.of(feed):
        superseded = item.superseded_date or FOREVER
        con.execute(
            f"insert into {feed} by name select * exclude (_file, _row, _known_date), _known_date as known_from, "
            "cast($until as date) as known_to from read_parquet($file, hive_partitioning = false)",
            {"until": superseded, "file": str(item.outcome.rows_path(lake))},
        )
