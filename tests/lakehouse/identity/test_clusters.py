"""Clusters follow from the evidence of a day alone: not from its order, and they come apart when it ends."""

import random
from datetime import date

import pytest

from lakehouse.identity.clusters import memberships
from lakehouse.identity.evidence import FOREVER, Edge, Fact, Party


def day(number: int) -> date:
    return date(2026, 1, number)


PARTIES = [Party("cif:1", day(1), FOREVER), Party("cif:2", day(2), FOREVER), Party("online:9", day(3), FOREVER)]


def spans(parties: list[Party], edges: list[Edge], facts: list[Fact] = ()) -> list[tuple]:
    return [(m.party_key, m.customer_key, m.rule, m.valid_from, m.valid_to) for m in memberships(parties, edges, facts)]


def customers(parties: list[Party], edges: list[Edge], facts: list[Fact] = ()) -> dict[str, tuple[str, str]]:
    """Customer and rule of each record today."""
    return {m.party_key: (m.customer_key, m.rule) for m in memberships(parties, edges, facts) if m.valid_to is None}


def similar(left: str, right: str, weight: float, start: int = 4, end: date = FOREVER, **rest: object) -> Edge:
    return Edge(left, right, "similar", day(start), end, weight, **rest)


def fact(party: str, kind: str, value: str, start: int = 1) -> Fact:
    return Fact(party, kind, value, day(start), FOREVER)


def test_earliest_known_record_names_the_customer_and_a_merge_is_dated() -> None:
    edges = [
        Edge("online:9", "cif:2", "bound_card", day(4), FOREVER),
        Edge("cif:1", "cif:2", "id_token", day(6), FOREVER),
    ]
    assert spans(PARTIES, edges) == [
        ("cif:1", "cif:1", "self", day(1), None),
        ("cif:2", "cif:2", "self", day(2), day(6)),
        ("cif:2", "cif:1", "id_token", day(6), None),
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


def test_a_third_record_does_not_chain_two_documents_together() -> None:
    edges = [similar("cif:1", "online:9", 12.0), similar("cif:2", "online:9", 9.0)]
    documents = [fact("cif:1", "id_no", "A"), fact("cif:2", "id_no", "B")]
    assert customers(PARTIES, edges)["cif:2"] == ("cif:1", "similar")
    assert customers(PARTIES, edges, documents) == {
        "cif:1": ("cif:1", "self"),
        "cif:2": ("cif:2", "self"),
        "online:9": ("cif:1", "similar"),  # the stronger of the two
    }


def test_a_fact_that_is_learned_later_splits_a_customer_from_that_day_on() -> None:
    edges = [similar("cif:1", "cif:2", 12.0)]
    births = [fact("cif:1", "birth_date", "1980-01-01"), fact("cif:2", "birth_date", "1999-01-01", start=8)]
    assert [row[1:] for row in spans(PARTIES[:2], edges, births) if row[0] == "cif:2"] == [
        ("cif:2", "self", day(2), day(4)),
        ("cif:1", "similar", day(4), day(8)),
        ("cif:2", "self", day(8), None),
    ]


def test_a_difference_that_the_pair_tolerates_is_recorded_as_its_rule() -> None:
    births = [fact("cif:1", "birth_date", "1980-01-12"), fact("cif:2", "birth_date", "1980-12-01")]
    tolerant = [similar("cif:1", "cif:2", 12.0, tolerates=("birth_date",))]
    assert customers(PARTIES[:2], tolerant, births)["cif:2"] == ("cif:1", "similar, birth_date differs")
    assert customers(PARTIES[:2], [similar("cif:1", "cif:2", 12.0)], births)["cif:2"] == ("cif:2", "self")
    same_document = [Edge("cif:1", "cif:2", "id_token", day(4), FOREVER, tolerates=("birth_date",))]
    assert customers(PARTIES[:2], same_document, births)["cif:2"] == ("cif:1", "id_token, birth_date differs")


def test_a_clerk_has_the_last_word_while_he_keeps_it() -> None:
    facts = [fact("cif:1", "id_no", "A"), fact("cif:2", "id_no", "B")]
    same = Edge("cif:1", "cif:2", "clerk", day(5), day(7), tolerates=("id_no", "birth_date", "party_type"))
    assert [row[1:] for row in spans(PARTIES[:2], [same], facts) if row[0] == "cif:2"] == [
        ("cif:2", "self", day(2), day(5)),
        ("cif:1", "clerk, id_no differs", day(5), day(7)),
        ("cif:2", "self", day(7), None),
    ]
    different = Edge("cif:1", "cif:2", "different", day(5), FOREVER)
    chain = [
        Edge("cif:1", "cif:2", "id_token", day(4), FOREVER),
        similar("cif:1", "online:9", 9.0),
        similar("cif:2", "online:9", 8.0),
    ]
    assert customers(PARTIES, [different, *chain]) == {
        "cif:1": ("cif:1", "self"),
        "cif:2": ("cif:2", "self"),
        "online:9": ("cif:1", "similar"),
    }


def test_evidence_that_a_twin_shares_joins_only_records_without_a_better_one() -> None:
    twin = Party("cif:3", day(1), FOREVER)
    edges = [similar("cif:3", "online:9", 20.0, is_alone=True), similar("cif:1", "online:9", 5.0)]
    assert customers([*PARTIES, twin], edges)["online:9"] == ("cif:1", "similar")
    assert customers([*PARTIES, twin], edges[:1])["online:9"] == ("cif:3", "similar")
    assert customers(PARTIES, [similar("cif:1", "cif:2", 20.0, is_alone=True)])["cif:2"] == ("cif:2", "self")


def test_customers_do_not_depend_on_the_order_of_the_evidence() -> None:
    chance = random.Random(7)
    parties = [Party(f"cif:{n:03}", day(1 + n % 9), FOREVER) for n in range(80)]
    edges = [
        similar(*chance.sample([party.party_key for party in parties], 2), float(n % 7), start=10 + n % 12)
        for n in range(60)
    ]
    facts = [fact(party.party_key, "id_no", str(n % 50)) for n, party in enumerate(parties) if n % 3]
    expected = spans(parties, edges, facts)
    for _ in range(5):
        for items in (parties, edges, facts):
            chance.shuffle(items)
        assert spans(parties, edges, facts) == expected


def dated(dates: list[str], tolerant: list[tuple[int, int]]) -> dict[str, tuple[str, str]]:
    """Customers of records with these dates, of which pairs are similar and explain the difference of their dates."""
    parties = [Party(f"cif:{at}", day(1), FOREVER) for at in range(len(dates))]
    edges = [similar(f"cif:{one}", f"cif:{other}", 9.0, tolerates=("birth_date",)) for one, other in tolerant]
    return customers(parties, edges, [fact(f"cif:{at}", "birth_date", born) for at, born in enumerate(dates)])


@pytest.mark.parametrize(
    "dates",
    [
        ["1980-11-02", "1983-11-02", "1980-11-07", "1980-10-02", "1900-11-02"],  # the true one is the first
        ["1983-11-02", "1980-11-07", "1980-10-02", "1900-11-02"],  # nobody has the true one: digit by digit they do
        ["1980-11-02", "1980-02-11", "1980-11-20", "1980-11-03"],  # days and months swapped, digits swapped
        ["1980-11-02", "1980-11-02", "1983-11-02", "1980-10-02"],
    ],
)
def test_dates_with_one_slip_each_are_one_date(dates: list[str]) -> None:
    chain = [(at, at + 1) for at in range(len(dates) - 1)]
    assert {customer for customer, _ in dated(dates, chain).values()} == {"cif:0"}


@pytest.mark.parametrize(
    "dates",
    [
        ["1980-11-02", "1981-11-02", "1981-12-02", "1981-12-03"],  # each a slip from the one before, none in the middle
        ["1980-11-02", "1980-11-03", "1985-06-27"],
    ],
)
def test_slips_do_not_lead_from_one_date_to_quite_another(dates: list[str]) -> None:
    chain = [(at, at + 1) for at in range(len(dates) - 2)]
    last = similar(f"cif:{len(dates) - 2}", f"cif:{len(dates) - 1}", 5.0)
    parties = [Party(f"cif:{at}", day(1), FOREVER) for at in range(len(dates))]
    edges = [similar(f"cif:{one}", f"cif:{other}", 9.0, tolerates=("birth_date",)) for one, other in chain] + [last]
    births = [fact(f"cif:{at}", "birth_date", born) for at, born in enumerate(dates)]
    assert len({customer for customer, _ in customers(parties, edges, births).values()}) == 2


def test_a_pair_that_explains_no_difference_has_none_explained_by_others() -> None:
    """Father and son, and a record without a date: the slips of one do not make the other's date possible."""
    parties = [Party(f"cif:{at}", day(1), FOREVER) for at in range(4)]
    births = [fact("cif:0", "birth_date", "1960-03-11"), fact("cif:1", "birth_date", "1960-03-12")]
    births.append(fact("cif:3", "birth_date", "1988-07-01"))
    edges = [similar("cif:0", "cif:1", 9.0, tolerates=("birth_date",)), similar("cif:1", "cif:2", 8.0)]
    found = customers(parties, [*edges, similar("cif:2", "cif:3", 7.0)], births)
    assert [found[f"cif:{at}"][0] for at in range(4)] == ["cif:0", "cif:0", "cif:0", "cif:3"]
