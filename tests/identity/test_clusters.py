"""Clusters follow from evidence alone: not from its order, and they come apart when it ends."""

import random
from datetime import date

from c360.identity.clusters import memberships
from c360.identity.evidence import FOREVER, Edge, Party


def day(number: int) -> date:
    return date(2026, 1, number)


PARTIES = [Party("cif:1", day(1), FOREVER), Party("cif:2", day(2), FOREVER), Party("online:9", day(3), FOREVER)]


def spans(parties: list[Party], edges: list[Edge]) -> list[tuple]:
    return [(m.party_key, m.customer_key, m.rule, m.valid_from, m.valid_to) for m in memberships(parties, edges)]


def test_earliest_known_record_names_the_customer_and_a_merge_is_dated() -> None:
    edges = [
        Edge("online:9", "cif:2", "bound_card", day(4), FOREVER),
        Edge("cif:1", "cif:2", "id_token", day(6), FOREVER),
    ]
    assert spans(PARTIES, edges) == [
        ("cif:1", "cif:1", "self", day(1), None),
        ("cif:2", "cif:2", "self", day(2), day(6)),
        ("cif:2", "cif:1", "bound_card", day(6), None),
        ("online:9", "online:9", "self", day(3), day(4)),
        ("online:9", "cif:2", "bound_card", day(4), day(6)),
        ("online:9", "cif:1", "bound_card", day(6), None),
    ]


def test_evidence_that_ends_splits_the_customer_again() -> None:
    edges = [
        Edge("cif:1", "cif:2", "id_token", day(2), day(5)),
        Edge("cif:2", "online:9", "bound_card", day(3), FOREVER),
    ]
    assert [row for row in spans(PARTIES, edges) if row[0] != "cif:1"] == [
        ("cif:2", "cif:1", "id_token", day(2), day(5)),
        ("cif:2", "cif:2", "self", day(5), None),
        ("online:9", "cif:1", "bound_card", day(3), day(5)),
        ("online:9", "cif:2", "bound_card", day(5), None),
    ]


def test_a_record_that_a_redelivery_removed_ends() -> None:
    parties = [Party("cif:1", day(1), day(4)), PARTIES[1]]
    assert spans(parties, []) == [("cif:1", "cif:1", "self", day(1), day(4)), ("cif:2", "cif:2", "self", day(2), None)]


def test_customers_do_not_depend_on_the_order_of_the_evidence() -> None:
    chance = random.Random(7)
    parties = [Party(f"cif:{n:03}", day(1 + n % 9), FOREVER) for n in range(80)]
    edges = [
        Edge(*chance.sample([party.party_key for party in parties], 2), "id_token", day(10 + n % 12), FOREVER)
        for n in range(60)
    ]
    customers = [(m.party_key, m.customer_key, m.valid_from, m.valid_to) for m in memberships(parties, edges)]
    for _ in range(5):
        chance.shuffle(parties)
        chance.shuffle(edges)
        again = [(m.party_key, m.customer_key, m.valid_from, m.valid_to) for m in memberships(parties, edges)]
        assert again == customers
