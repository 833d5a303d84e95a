"""Two feeds mostly of the same persons: the few records left over are more probably each other's than any two are."""

import json
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from lakehouse.identity.clusters import memberships
from lakehouse.identity.evidence import FOREVER, Edge, Party
from lakehouse.identity.leftovers import create_leftover_bits, share_of_matches
from lakehouse.identity.linkage import Linkage
from lakehouse.identity.model import Model

PRIOR = 1e-4
DAY, LATER = date(2026, 1, 1), date(2026, 2, 1)


@pytest.mark.parametrize(
    ("lefts", "rights", "weights", "least", "most"),
    [
        (54, 54, [-1.0] * 26, 24, 26),  # few are left over, and half of them agree
        (54, 54, [-3.9] * 26, 14, 26),  # they agree on little
        (5000, 5000, [-1.0] * 26, 0, 1),  # so many strangers come to as much by chance
        (54, 5000, [-1.0] * 26, 0, 18),
        (1, 1, [-1.0], 0, 1),
        (54, 54, [-13.0] * 40, 0, 5),  # chance agrees as well
    ],
)
def test_how_many_of_the_left_over_pairs_match(
    lefts: int, rights: int, weights: list[float], least: int, most: int
) -> None:
    share, matches = share_of_matches(np.array(weights), PRIOR, lefts, rights)
    assert least <= matches <= most and 0 <= share <= 1 / max(lefts, rights)


def bits(folder: Path, rows: list[dict], strangers: int = 0, raw: dict | None = None) -> list[tuple]:
    """What is learned from compared pairs (`rows`) of as many records of each feed."""
    folder.mkdir(exist_ok=True)
    model = Model(
        f"1-{DAY}-abc", folder, Linkage(Linkage.read().raw if raw is None else raw),
        {"probability_two_random_records_match": PRIOR}, {},
    )  # fmt: skip
    keys = [f"{feed}:{n}" for feed in ("cif", "online") for n in range(len(rows) + strangers)]
    records = [{"record_id": key, "party_key": key, "known_from": DAY, "known_to": FOREVER} for key in keys]
    usual = {"match_weight": -1.0, "is_accepted": False, "is_alone": False, "may_join": True}
    pairs = [{"left_record": f"cif:{n}", "right_record": f"online:{n}"} | usual | row for n, row in enumerate(rows)]
    for record in records:
        if any(row.get("known_from") and record["party_key"] == f"cif:{n}" for n, row in enumerate(rows)):
            record["known_from"] = LATER
    with duckdb.connect() as con:
        con.register("party_records", pa.Table.from_pylist(records))
        con.register("compared_pairs", pa.Table.from_pylist(pairs))
        for edges in ("id_edges", "card_edges", "lead_edges"):
            con.execute(f"create table {edges} (a varchar, b varchar, known_from date, known_to date)")
        card = next((n for n, row in enumerate(rows) if row.get("has_card")), None)
        if card is not None:
            con.execute(
                "insert into card_edges values ($1, $2, $3, $4)", [f"cif:{card}", f"online:{card}", DAY, FOREVER]
            )
        create_leftover_bits(con, model)
        return con.execute("from leftover_bits").fetchall()


def test_what_is_left_over_of_two_feeds_is_learned_once(tmp_path: Path) -> None:
    matched = [{"match_weight": 20.0, "is_accepted": True}] * 400
    ((a_feed, b_feed, gained),) = bits(tmp_path / "m", [*matched, *[{}] * 20])
    assert (a_feed, b_feed) == ("cif", "online") and 8 < gained < 10  # one in 21, not one in 10,000
    assert json.loads((tmp_path / "m" / "leftovers.json").read_text()) == {"cif-online": gained}
    assert bits(tmp_path / "m", [{}] * 3) == [("cif", "online", gained)]


@pytest.mark.parametrize(
    "rows",
    [
        [{}] * 4,  # too few to learn from
        [{"is_alone": True}] * 20,  # they look like twins
        [{"may_join": False}] * 20,  # like parent and child, or only the home speaks for them
        [{"known_from": LATER}] * 20,  # learned from what was known on the day
        [{"is_accepted": True, "match_weight": 9.0}] * 20,
    ],
)
def test_what_must_not_teach_it_does_not(tmp_path: Path, rows: list[dict]) -> None:
    assert bits(tmp_path / "m", rows) == []


def test_many_without_a_partner_gain_nothing(tmp_path: Path) -> None:
    assert bits(tmp_path / "m", [{}] * 20, strangers=3000) == []
    assert bits(tmp_path / "old", [{}] * 20, raw={}) == []  # a model of before this was learned


def test_a_card_is_a_partner(tmp_path: Path) -> None:
    with_card = bits(tmp_path / "card", [{"has_card": True}, *[{}] * 9])
    assert with_card and with_card != bits(tmp_path / "none", [{}] * 10)


def test_only_records_without_a_partner_in_the_other_feed_are_joined() -> None:
    keys = ("cif:1", "cif:2", "online:1", "online:2")
    parties = [Party(key, DAY, FOREVER) for key in keys]

    def edge(left: str, right: str, rule: str, weight: float) -> Edge:
        return Edge(left, right, rule, DAY, FOREVER, weight, is_alone=rule == "left over")

    edges = [
        edge("cif:1", "online:1", "similar", 9.0),
        edge("cif:1", "online:2", "left over", 0.9),  # the stronger of the two, but cif:1 has somebody
        edge("cif:2", "online:2", "left over", -2.0),
        edge("cif:1", "cif:2", "left over", 0.5),
    ]
    found = {row.party_key: (row.customer_key, row.rule) for row in memberships(parties, edges)}
    assert found == {
        "cif:1": ("cif:1", "self"),
        "cif:2": ("cif:2", "self"),
        "online:1": ("cif:1", "similar"),
        "online:2": ("cif:2", "left over"),
    }
