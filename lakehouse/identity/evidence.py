"""Evidence in the lake: which party records are known, what ties two of them, what separates them, and since when."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from lakehouse.contracts import load_feeds
from lakehouse.identity.documents import create_document_macros
from lakehouse.identity.linkage import Linkage
from lakehouse.ingestion.rules import create_token_macro
from lakehouse.lake import Pin
from lakehouse.lake.erasures import ErasureKey, read_erasures

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
    rule: str  # "id_token", "bound_card", "lead", "similar", "left over", "clerk", "different"
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
# purpose: a record is tied to the first of the token's records that nothing else speaks against, of the first ten, so n
# records give n - 1 edges, not n * n.
EVIDENCE = """
create temp table party_rows as
with delivered as (
    select 'cif:' || customer_no as party_key, plain_document(id_no) as plain, party_type, name, birth_date,
           known_from, known_to, id_no_token as written_token
    from customers
    union all
    select 'online:' || user_id, plain_document(id_no),
           case when regexp_full_match(upper(id_no), getvariable('enterprise_id')) then 'E' else 'P' end,
           name, birth_date, known_from, known_to, id_no_token
    from registrations
    union all select 'lead:' || lead_id, null, null, name, null, known_from, known_to, null from social_leads
)
select party_key, number_of(plain) as document, plain, party_type, name, birth_date, known_from, known_to,
       written_token, coalesce(is_filler(plain), false) as is_filler
from delivered;

-- Whether two rows cannot be of one person: nothing but a family name agrees, and the dates differ by more than a slip;
-- where the number itself is doubtful, one of these is enough.
create temp macro words_of(name) as regexp_extract_all(lower(name), '\\p{Han}|[\\p{L}]+');
create temp macro first_words_agree(one, other) as
case when regexp_matches(one[1], '\\p{Han}') and regexp_matches(other[1], '\\p{Han}')
     then list_has_any(list_slice(one, 2, -1), list_slice(other, 2, -1))
     else list_has_any(list_slice(one, 1, -2), other) or list_has_any(one, list_slice(other, 1, -2)) end;
create temp macro no_part_agrees(one, other) as
coalesce(jaro_winkler_similarity(lower(one), lower(other)) < 0.88
         and not first_words_agree(words_of(one), words_of(other)), false);
create temp macro dates_differ(one, other) as
coalesce(damerau_levenshtein(strftime(one, '%Y%m%d'), strftime(other, '%Y%m%d')) > 2, false);
create temp macro contradicts(one_name, other_name, one_date, other_date, is_doubtful) as
case when is_doubtful then no_part_agrees(one_name, other_name) or dates_differ(one_date, other_date)
     else no_part_agrees(one_name, other_name) and dates_differ(one_date, other_date) end;

-- Numbers, cards and leads of many strangers, from the day on which there are too many: as many birth dates (or names,
-- where no date is known) and as many first letters.
create temp view shown as
select document as token, party_type, name, birth_date, known_from from party_rows
where document is not null
union all
select users.bound_card_no_token, 'card', users.name, users.birth_date, users.known_from from registrations as users
where users.bound_card_no_token is not null
union all
select users.lead_id, 'lead', users.name, users.birth_date, users.known_from from registrations as users
where users.lead_id is not null;

create temp table shared_tokens as
with dates as (
    select token, party_type, coalesce(cast(birth_date as varchar), name) as value, min(known_from) as known_from
    from shown group by all having value is not null
),
letters as (
    select token, party_type, left(lower(name), 1) as value, min(known_from) as known_from
    from shown group by all having value is not null
),
too_many as (
    select token, party_type, known_from
    from (from dates qualify row_number() over (partition by token, party_type order by known_from, value)
                             = getvariable('shared_by') + 1)
    union all
    select token, party_type, known_from
    from (from letters qualify row_number() over (partition by token, party_type order by known_from, value)
                               = getvariable('shared_by') + 1)
)
select token, party_type, max(known_from) as shared_from from too_many group by all having count(*) = 2;

create temp table shared_holders as
select distinct party_key, document, shared_from
from party_rows
join shared_tokens on token = document and shared_tokens.party_type = party_rows.party_type;

create temp table numbered_rows as
select document, holders.party_type, party_key, name, birth_date, plain, holders.known_from,
       least(known_to, coalesce(shared_from, known_to)) as known_to,
       dense_rank() over (partition by document, holders.party_type order by first_known, party_key) as place
from (select *, min(known_from) over (partition by document, party_type, party_key) as first_known
      from party_rows where document is not null) as holders
left join shared_tokens on token = document and shared_tokens.party_type = holders.party_type;

create temp table document_pairs as
select firsts.party_key as a, others.party_key as b, firsts.place as a_place, others.place as b_place, document,
       greatest(firsts.known_from, others.known_from) as known_from,
       least(firsts.known_to, others.known_to) as known_to,
       contradicts(firsts.name, others.name, firsts.birth_date, others.birth_date,
                   has_wrong_check_digit(firsts.plain) or has_wrong_check_digit(others.plain)) as is_contradicted
from numbered_rows as firsts join numbered_rows as others using (document, party_type)
where firsts.place <= 10 and firsts.place < others.place;

create temp view id_edges as
select a, b, 'id_token' as rule, known_from, known_to
from document_pairs
where not is_contradicted
qualify a_place = min(a_place) over (partition by document, b);

create temp view card_edges as
select 'cif:' || cards.customer_no as a, 'online:' || users.user_id as b, 'bound_card' as rule,
       greatest(cards.known_from, users.known_from) as known_from,
       least(cards.known_to, users.known_to, coalesce(shared_from, cards.known_to)) as known_to
from registrations as users
join cards on cards.card_no_token = users.bound_card_no_token
left join shared_tokens on token = users.bound_card_no_token and party_type = 'card';

create temp view lead_edges as
select 'lead:' || leads.lead_id as a, 'online:' || users.user_id as b, 'lead' as rule,
       greatest(leads.known_from, users.known_from) as known_from,
       least(leads.known_to, users.known_to, coalesce(shared_from, leads.known_to)) as known_to
from registrations as users join social_leads as leads using (lead_id)
left join shared_tokens on token = users.lead_id and party_type = 'lead';

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
create temp table parties as
select party_key, min(known_from) as known_from, max(known_to) as known_to from party_rows group by party_key
"""

EXACT_EDGES = """
create temp table edges as
select a, b, rule, min(known_from) as known_from, known_to, cast(null as double) as weight,
       rule = 'clerk' as tolerates_id_no, rule in ('clerk', 'id_token') as tolerates_birth_date,
       rule = 'clerk' as tolerates_party_type, false as is_alone
from (select * from id_edges union all select * from card_edges union all select * from lead_edges
      union all select * from decisions where rule <> 'withdrawn')
where known_from < known_to and a in (select party_key from parties) and b in (select party_key from parties)
group by a, b, rule, known_to
"""

# From the day on which a number is shared by too many, a pair weighs as if it had none. Two records that are left over
# (see `leftovers`) are held against what a match is worth among such.
SIMILAR = """
create temp table similar_pairs as
with placed as (
    select least(lefts.party_key, rights.party_key) as a, greatest(lefts.party_key, rights.party_key) as b,
           compared.* exclude (left_record, right_record, may_join),
           coalesce(may_join and not is_alone and match_weight < getvariable('accept')
                    and match_weight + bits >= getvariable('accept'), false) as is_left_over,
           greatest(lefts.known_from, rights.known_from) as known_from,
           least(lefts.known_to, rights.known_to) as known_to
    from compared_pairs as compared
    join party_records as lefts on lefts.record_id = compared.left_record
    join party_records as rights on rights.record_id = compared.right_record
    left join leftover_bits on a_feed = least(split_part(lefts.party_key, ':', 1), split_part(rights.party_key, ':', 1))
        and b_feed = greatest(split_part(lefts.party_key, ':', 1), split_part(rights.party_key, ':', 1))
),
shared_pairs as (
    select a, b, min(lefts.shared_from) as shared_from
    from (select distinct a, b from placed) as tied
    join shared_holders as lefts on lefts.party_key = a
    join shared_holders as rights on rights.party_key = b and rights.document = lefts.document
    group by a, b
),
pairs as (select placed.*, shared_from from placed left join shared_pairs using (a, b)),
spans as (
    select * replace (least(known_to, coalesce(shared_from, known_to)) as known_to) from pairs
    union all
    select * replace (greatest(known_from, shared_from) as known_from,
                      match_weight - document_weight as match_weight,
                      is_accepted and match_weight - document_weight >= getvariable('accept')
                      and personal_weight - document_weight >= getvariable('personal') as is_accepted,
                      false as is_left_over)
    from pairs where shared_from is not null
)
select * exclude (shared_from) from spans where known_from < known_to and match_weight >= getvariable('review')
"""

SIMILAR_EDGES = """
insert into edges
select a, b, case when bool_or(is_accepted) then 'similar' else 'left over' end, known_from, known_to,
       max(match_weight), bool_or(tolerates_id_no), bool_or(tolerates_birth_date), false,
       bool_and(is_alone or is_left_over)
from similar_pairs where is_accepted or is_left_over
group by a, b, known_from, known_to
"""

FACTS = """
create temp table facts as
select party_key, kind, value, min(known_from) as known_from, max(known_to) as known_to
from (
    select party_key, 'id_no' as kind, document as value, known_from, known_to from numbered_rows
    union all select party_key, 'birth_date', cast(birth_date as varchar), known_from, known_to from party_rows
    union all select 'cif:' || customer_no, 'party_type', party_type, known_from, known_to from customers
)
where value is not null and known_from < known_to
group by party_key, kind, value
"""

# Numbers that are no evidence: a filler, more strangers than `shared_by`, or two who cannot be one person.
UNBELIEVED = """
create temp table unbelieved as
with found as (
    select written_token, 'a filler' as reason, party_key, known_from from party_rows where is_filler
    union all
    select written_token, 'strangers share it', party_key, shared_from
    from party_rows join shared_tokens on token = document and shared_tokens.party_type = party_rows.party_type
    union all
    select written_token, 'names and birth dates differ', party_key, pairs.known_from
    from (select document, unnest([a, b]) as party_key, known_from
          from document_pairs where is_contradicted and known_from < known_to) as pairs
    join party_rows using (document, party_key)
)
select written_token as token, min(reason) as reason, count(distinct party_key) as records
from found where known_from <= $business_date
group by written_token
"""


def open_lake(con: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, linkage: Linkage) -> None:
    """Give ``con`` the rows of the feeds with party records, as known by the pin, and the evidence in them."""
    open_feeds(con, lake, pin, linkage)
    con.execute(EVIDENCE)


def open_feeds(con: duckdb.DuckDBPyConnection, lake: Path, pin: Pin, linkage: Linkage) -> None:
    """Give ``con`` the rows of the feeds with party records, as known by the pin, superseded deliveries included."""
    con.execute("set threads = 2")
    set_variables(con, linkage)
    for feed in FEEDS:
        _attach(con, lake, pin, feed)


def set_variables(con: duckdb.DuckDBPyConnection, linkage: Linkage) -> None:
    """What the evidence reads of the settings, and the macros of documents."""
    con.execute("set variable enterprise_id = $1", [linkage.enterprise_id])
    con.execute("set variable shared_by = $1", [linkage.raw["documents"]["shared_by"]])
    con.execute("set variable accept = $1", [linkage.accept])
    con.execute("set variable review = $1", [linkage.review])
    con.execute("set variable personal = $1", [linkage.raw["weights"]["personal"]["minimum"]])
    create_document_macros(con, linkage)


def collect(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """Make ``parties``, ``edges`` and ``facts`` of all that is known; needs ``compared_pairs``.

    The edges are documents, cards, leads, clerks' decisions, the pairs that the model accepts, and what tied the
    records of people who were erased.
    """
    for statement in (PARTIES, EXACT_EDGES, SIMILAR, SIMILAR_EDGES, FACTS):
        con.execute(statement)
    _collect_erased(con, lake)


def _collect_erased(con: duckdb.DuckDBPyConnection, lake: Path) -> None:
    """Keep together the records of who was erased: the values that tied them are gone, and nothing else may change."""
    erasures = read_erasures(lake)
    if not any(erasure.ties for erasure in erasures):
        return
    create_token_macro(con, ErasureKey.of(lake).entries_secret, "entry")
    con.execute("create temp table listed as select party_key, entry('party_key:' || party_key) as entry from parties")
    rows = [
        (tie.party, tie.customer, tie.rule, tie.weight, tie.since, tie.until or FOREVER)
        for erasure in erasures
        for tie in erasure.ties
    ]
    con.executemany(
        "insert into edges "
        "select least(lefts.party_key, rights.party_key), greatest(lefts.party_key, rights.party_key), $3, "
        "cast($5 as date), cast($6 as date), cast($4 as double), true, true, true, false "
        "from listed as lefts, listed as rights where lefts.entry = $1 and rights.entry = $2",
        rows,
    )


def of_changed(con: duckdb.DuckDBPyConnection) -> tuple[list[Party], list[Edge], list[Fact]]:
    """The evidence on the party records that ``changed`` names."""
    parties, edges, facts = (
        con.execute(f"select {table}.* from {table} join changed on {table}.{key} = changed.party_key").fetchall()
        for table, key in (("parties", "party_key"), ("edges", "a"), ("facts", "party_key"))
    )
    return [Party(*row) for row in parties], [_edge(*row) for row in edges], [Fact(*row) for row in facts]


def _edge(left: str, right: str, rule: str, start: date, end: date, weight: float | None, *flags: bool) -> Edge:
    *tolerates, is_alone = flags
    kinds = ("id_no", "birth_date", "party_type")
    tolerated = tuple(kind for kind, holds in zip(kinds, tolerates, strict=True) if holds)
    return Edge(left, right, rule, start, end, weight, tolerated, is_alone)


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
