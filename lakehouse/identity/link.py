"""Write the cross-reference of party records and customers, and the list of pairs for a clerk, to the lake."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from lakehouse.identity import evidence
from lakehouse.identity.comparable import RECORDS, create_comparable
from lakehouse.identity.components import create_xref
from lakehouse.identity.leftovers import create_leftover_bits
from lakehouse.identity.linkage import Linkage
from lakehouse.identity.model import Model, can_train, current_model, train
from lakehouse.identity.pairs import compare
from lakehouse.ingestion.rules import create_token_macro
from lakehouse.lake import Pin, appearing, pin_of
from lakehouse.lake.dates import built_dates
from lakehouse.lake.integrity import require_intact
from lakehouse.lake.places import review_file, unbelieved_file, xref_file
from lakehouse.lake.secret import require_same_secret
from lakehouse.settings import Settings

# Pairs that look alike, today, and are two customers: with the reason why nobody has joined them.
REVIEW = """
create temp table review as
with current_customers as (
    select party_key, customer_key from xref where valid_to is null or valid_to > $business_date
),
pairs as (
    select a, b, max_by(evidence, match_weight) as evidence, max(match_weight) as match_weight,
           bool_or(is_accepted) as is_accepted, bool_or(is_accepted and not is_alone) as is_convincing,
           min(known_from) as known_from
    from similar_pairs
    where known_from <= $business_date and known_to > $business_date
    group by a, b
)
select pairs.a as left_party_key, pairs.b as right_party_key, lefts.customer_key as left_customer_key,
       rights.customer_key as right_customer_key, match_weight,
       case when is_convincing then 'a document, a birth date or a clerk keeps them apart'
            when is_accepted and match_weight >= $accept then 'another given name'
            when match_weight >= $accept then 'only what a family shares speaks for it'
            else 'too little evidence' end as reason,
       evidence, known_from
from pairs
join current_customers as lefts on lefts.party_key = pairs.a
join current_customers as rights on rights.party_key = pairs.b
where lefts.customer_key <> rights.customer_key
  and not exists (
    select 1 from decisions
    where decisions.a = pairs.a and decisions.b = pairs.b and decisions.rule <> 'withdrawn'
      and decisions.known_from <= $business_date and decisions.known_to > $business_date
  )
"""


def link(settings: Settings, pin: Pin) -> Path:
    """Join the party records known by the pin's business date.

    Exact evidence first, then the frozen model, which is trained here once, when enough records are known. Records that
    were never compared are compared with all others; everything else follows from files in the lake.

    Returns
    -------
    Path
        The lake file ``identity/<L>-<pin>.parquet``; beside it lie the list for review (`review_file`), and the
        documents that are no evidence (`unbelieved_file`).
    """
    path = xref_file(settings.lake, pin)
    model = current_model(settings.lake) or _first_model(settings, pin)
    linkage = model.linkage if model else Linkage.read()
    with opened(settings, pin, linkage) as con:
        compare(con, settings.lake, model)
        create_leftover_bits(con, model)
        evidence.collect(con, settings.lake)
        create_xref(con, path)
        con.execute(REVIEW, {"business_date": pin.business_date, "accept": linkage.accept})
        with appearing(review_file(path)) as temporary:
            con.execute(f"copy (from review order by all) to '{temporary}' (format parquet, compression zstd)")
        con.execute(evidence.UNBELIEVED, {"business_date": pin.business_date})
        with appearing(unbelieved_file(path)) as temporary:
            con.execute(f"copy (from unbelieved order by all) to '{temporary}' (format parquet, compression zstd)")
        with appearing(path) as temporary:
            con.execute(
                f"copy (from xref order by party_key, valid_from) to '{temporary}' (format parquet, compression zstd)"
            )
    return path


def unbelieved(xref: Path) -> list[str]:
    """A sentence for every document number that is no evidence of who its holders are; it has the token, no number."""
    rows = pq.read_table(unbelieved_file(xref)).to_pylist()
    return [
        f"the document with id_no_token {row['token']} ({row['records']} records) is no evidence: {row['reason']}"
        for row in rows
    ]


def retrain(settings: Settings, pin: Pin) -> Model | None:
    """Learn a new model from the records known by the pin: a re-key, since all customers follow from it."""
    linkage = Linkage.read()
    with opened(settings, pin, linkage) as con:
        create_comparable(con, linkage)
        return train(con, settings.lake, linkage, f"{pin.business_date}-{pin.hash}")


@contextmanager
def opened(settings: Settings, pin: Pin, linkage: Linkage) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection that holds the evidence and the party records of the pin."""
    with _connected(settings, pin) as con:
        evidence.open_lake(con, settings.lake, pin, linkage)
        con.execute(RECORDS)
        yield con


@contextmanager
def opened_records(
    settings: Settings, pin: Pin, linkage: Linkage, parties: Iterable[str]
) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection that holds a few party records of the pin, without the evidence."""
    with _connected(settings, pin) as con:
        evidence.open_feeds(con, settings.lake, pin, linkage)
        con.execute(RECORDS)
        con.execute("delete from party_records where party_key not in (select unnest($1))", [list(parties)])
        yield con


@contextmanager
def _connected(settings: Settings, pin: Pin) -> Generator[duckdb.DuckDBPyConnection]:
    require_same_secret(settings)
    require_intact(settings, pin)
    with duckdb.connect() as con:
        create_token_macro(con, settings.token_secret)
        yield con


def _first_model(settings: Settings, pin: Pin) -> Model | None:
    """Trained on the first built date with enough records, so that it does not depend on when it is asked for."""
    linkage = Linkage.read()
    with opened(settings, pin, linkage) as con:
        create_comparable(con, linkage)
        if not can_train(con, linkage):
            return None
    outcomes = [item.outcome for item in pin.deliveries]
    return next(filter(None, (retrain(settings, pin_of(outcomes, day)) for day in built_dates(pin))), None)
