"""What it weighs that two records are among the few that have found no partner in the other's feed.

The model's weights begin with how rare a match is among all pairs. Where two feeds are mostly of the same persons, it
is much less rare among the records that are left over: of two files of 5,000 records, 54 of each were, and of their
pairs one in a hundred was a match, not one in 10,000. That share is learned once, from the records known when the model
was trained, without labels: by expectation maximisation over how well the pairs of the left-over records agree. Where
most records of a feed have no partner because there is none, it comes out small, and nothing is added.
"""

import json

import duckdb
import numpy as np
import numpy.typing as npt

from lakehouse.identity.model import Model
from lakehouse.lake import write_json

# Pairs of feeds with what is left over on either side, and the pairs of these that may join: each record's best.
_LEFT_OVER = """
create temp table known_parties as
select distinct party_key, split_part(party_key, ':', 1) as feed
from party_records where known_from <= getvariable('trained_on') and known_to > getvariable('trained_on');

create temp table met_pairs as
select a, b, split_part(a, ':', 1) as a_feed, split_part(b, ':', 1) as b_feed, match_weight, is_accepted, is_open
from (
    select least(l.party_key, r.party_key) as a, greatest(l.party_key, r.party_key) as b, match_weight, is_accepted,
           may_join and not is_alone as is_open, greatest(l.known_from, r.known_from) as known_from,
           least(l.known_to, r.known_to) as known_to
    from compared_pairs
    join party_records as l on l.record_id = left_record
    join party_records as r on r.record_id = right_record
    union all
    select least(a, b), greatest(a, b), null, true, false, known_from, known_to
    from (select a, b, known_from, known_to from id_edges union all select a, b, known_from, known_to from card_edges
          union all select a, b, known_from, known_to from lead_edges)
) as pairs
where known_from <= getvariable('trained_on') and known_to > getvariable('trained_on')
  and split_part(a, ':', 1) <> split_part(b, ':', 1);

create temp table left_over as
select party_key, feed, other
from known_parties cross join (select distinct feed as other from known_parties) where feed <> other
except
select unnest([a, b]), unnest([a_feed, b_feed]), unnest([b_feed, a_feed]) from met_pairs where is_accepted;
"""
_PAIRS = """
select a_feed, b_feed, match_weight
from (select a_feed, b_feed, a, b, max(match_weight) as match_weight from met_pairs where is_open group by all) as pairs
join left_over as lefts on lefts.party_key = a and lefts.other = b_feed
join left_over as rights on rights.party_key = b and rights.other = a_feed
qualify row_number() over (partition by a, b_feed order by match_weight desc, b) = 1
    and row_number() over (partition by b, a_feed order by match_weight desc, a) = 1
"""


def create_leftover_bits(con: duckdb.DuckDBPyConnection, model: Model | None) -> None:
    """Make ``leftover_bits``: by two feeds, ``a_feed < b_feed``, the bits that a pair of left-over records gains.

    Needs ``compared_pairs``. What is learned is kept beside the model.
    """
    con.execute("create temp table leftover_bits (a_feed varchar, b_feed varchar, bits double)")
    if model is None or "leftovers" not in model.linkage.raw:
        return
    path = model.folder / "leftovers.json"
    if not path.exists():
        write_json(path, _learned(con, model))
    for feeds, bits in json.loads(path.read_text()).items():
        con.execute("insert into leftover_bits values ($1, $2, $3)", [*feeds.split("-"), bits])


def _learned(con: duckdb.DuckDBPyConnection, model: Model) -> dict[str, float]:
    """The bits by two feeds, ``cif-online``, as the model's training date saw them."""
    con.execute("set variable trained_on = $1", [model.trained_on])
    con.execute(_LEFT_OVER)
    counts = con.execute("select feed, other, count(*) from left_over group by all").fetchall()
    sizes = {(feed, other): count for feed, other, count in counts}
    weights: dict[tuple[str, str], list[float]] = {}
    for a_feed, b_feed, weight in con.execute(_PAIRS).fetchall():
        weights.setdefault((a_feed, b_feed), []).append(weight)
    prior = float(model.splink["probability_two_random_records_match"])
    least = model.linkage.raw["leftovers"]["least"]
    learned = {}
    for (a_feed, b_feed), found in sorted(weights.items()):
        share, matches = share_of_matches(np.array(found), prior, sizes[a_feed, b_feed], sizes[b_feed, a_feed])
        bits = _logit(share) - _logit(prior)
        if matches >= least and bits > 0:
            learned[f"{a_feed}-{b_feed}"] = round(bits, 3)
    return learned


def share_of_matches(weights: npt.NDArray[np.float64], prior: float, lefts: int, rights: int) -> tuple[float, float]:
    """Share of the matches among all pairs of left-over records, and how many matches that are.

    Parameters
    ----------
    weights
        Match weights (bits) of the pairs that agree at all, of each record the best; they contain ``prior``.
    lefts, rights
        Numbers of the left-over records on either side.
    """
    factors = np.exp2(weights - _logit(prior))
    pairs, share = lefts * rights + max(lefts, rights), 1 / max(lefts, rights)  # each has met one more stranger
    for _ in range(500):
        share = float((share * factors / (1 - share + share * factors)).sum()) / pairs
    return share, share * pairs


def _logit(share: float) -> float:
    return float(np.log2(share / (1 - share))) if 0 < share < 1 else -np.inf
