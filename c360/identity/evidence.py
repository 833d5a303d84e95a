"""Exact evidence in the lake: which party records are known, and which pairs share a token, a card or a lead."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from c360.contracts import load_feeds
from c360.lake import Pin

FOREVER = date.max


@dataclass(frozen=True)
class Party:
    """One party record, and the half-open span of business dates on which it is known."""

    party_key: str
    known_from: date
    known_to: date


@dataclass(frozen=True)
class Edge:
    """Two party records that are the same customer by ``rule``, and the half-open span on which that is known."""

    left: str
    right: str
    rule: str
    known_from: date
    known_to: date


# A record's rows are joined by value; the span of an edge is the time on which both rows were known. Star-shaped on
# purpose: every record of a token is tied to the token's first record, so n records give n - 1 edges, not n * n.
# A bound card does not count against an identity document: the two then name different people.
EVIDENCE = """
create temp view party_rows as
select 'cif:' || customer_no as party_key, id_no_token, party_type, known_from, known_to from customers
union all select 'online:' || user_id, id_no_token, 'P', known_from, known_to from registrations
union all select 'lead:' || lead_id, null, null, known_from, known_to from social_leads;

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
join cards on cards.card_no_token = users.bound_card_no_token
where not exists (
    select 1 from customers as holders
    where holders.customer_no = cards.customer_no and holders.id_no_token <> users.id_no_token
);

create temp view lead_edges as
select 'lead:' || leads.lead_id as a, 'online:' || users.user_id as b, 'lead' as rule,
       greatest(leads.known_from, users.known_from) as known_from, least(leads.known_to, users.known_to) as known_to
from registrations as users join social_leads as leads using (lead_id);
"""

PARTIES = """
select party_key, min(known_from) as known_from, max(known_to) as known_to
from party_rows group by party_key order by party_key
"""

EDGES = """
select a, b, rule, min(known_from) as known_from, known_to
from (select * from id_edges union all select * from card_edges union all select * from lead_edges)
where known_from < known_to
group by a, b, rule, known_to
order by known_from, a, b, rule, known_to
"""


def collect(lake: Path, pin: Pin) -> tuple[list[Party], list[Edge]]:
    """All party records and exact evidence known by the pin's business date, superseded deliveries included.

    Returns
    -------
    tuple of list of Party and list of Edge
        Parties by key; edges by the date from which they are known.
    """
    with duckdb.connect(config={"threads": 2}) as connection:
        for feed in ("customers", "registrations", "social_leads", "cards"):
            _attach(connection, lake, pin, feed)
        connection.execute(EVIDENCE)
        parties = [Party(*row) for row in connection.execute(PARTIES).fetchall()]
        edges = [Edge(*row) for row in connection.execute(EDGES).fetchall()]
    return parties, edges


def _attach(connection: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, feed: str) -> None:
    """A temporary table of the feed's rows with the span on which each was known."""
    columns = ", ".join(f"{name} {kind}" for name, kind in load_feeds()[feed].lake_columns if not name.startswith("_"))
    connection.execute(f"create temp table {feed} ({columns}, known_from date, known_to date)")
    for item in pin.of(feed):
        superseded = item.superseded_date or FOREVER
        connection.execute(
            f"insert into {feed} by name select * exclude (_file, _row, _known_date), _known_date as known_from, "
            "cast($until as date) as known_to from read_parquet($file, hive_partitioning = false)",
            {"until": superseded, "file": str(lake / item.outcome.lake_file)},
        )
