"""Customers of components without new evidence are taken over: the same as if all were formed anew, and never stale."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from lakehouse.identity import components
from lakehouse.identity.clusters import memberships
from lakehouse.identity.components import create_xref
from lakehouse.identity.evidence import FOREVER, Edge, Fact, Party
from lakehouse.ingestion.rules import create_token_macro
from lakehouse.lake.places import components_file

FIRST = date(2026, 1, 1)
KINDS = ("id_no", "birth_date", "party_type")


class Evidence:
    """Party records, edges and facts, as tables; what `create_xref` makes of them, and which records it works on."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.formed = folder, 0
        self.parties: list[Party] = []
        self.edges: list[Edge] = []
        self.facts: list[Fact] = []

        def counted(parties: list[Party], edges: list[Edge], facts: list[Fact]) -> list:
            self.formed = len(parties)
            return memberships(parties, edges, facts)

        monkeypatch.setattr(components, "memberships", counted)

    def path(self, day: int) -> Path:
        return self.folder / f"{FIRST + timedelta(day)}-abc.parquet"

    def linked(self, day: int, secret: str = "s" * 32) -> list[dict]:
        """The cross-reference of the day."""
        with duckdb.connect() as con:
            create_token_macro(con, SecretStr(secret))
            days = {"known_from": pa.date32(), "known_to": pa.date32()}
            tolerates = {f"tolerates_{kind}": pa.bool_() for kind in KINDS}
            for name, types, rows in (
                ("parties", {"party_key": pa.string()} | days, [vars(party) for party in self.parties]),
                (
                    "edges",
                    dict.fromkeys(("a", "b", "rule"), pa.string())
                    | days
                    | {"weight": pa.float64()}
                    | tolerates
                    | {"is_alone": pa.bool_()},
                    [
                        vars(edge)
                        | {"a": edge.left, "b": edge.right}
                        | {f"tolerates_{kind}": kind in edge.tolerates for kind in KINDS}
                        for edge in self.edges
                    ],
                ),
                ("facts", dict.fromkeys(("party_key", "kind", "value"), pa.string()) | days, map(vars, self.facts)),
            ):
                con.register("made", pa.Table.from_pylist(list(rows), pa.schema(types)))
                con.execute(f"create temp table {name} as from made")
            create_xref(con, self.path(day))
            con.execute(f"copy xref to '{self.path(day)}' (format parquet)")
        return pq.read_table(self.path(day)).to_pylist()

    def whole(self) -> list[dict]:
        """All customers, formed anew."""
        return [vars(row) for row in memberships(self.parties, self.edges, self.facts)]


@pytest.fixture
def evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Evidence]:
    made, chance = Evidence(tmp_path, monkeypatch), random.Random(3)
    grow(made, chance, 0, 200)
    return made


def grow(evidence: Evidence, chance: random.Random, day: int, number: int) -> list[str]:
    """More records, edges and facts, known from the day; which records they touch."""
    known = FIRST + timedelta(day)
    start = len(evidence.parties)
    keys = [f"{chance.choice(('cif', 'online'))}:{day}.{start + n}" for n in range(number)]
    evidence.parties += [Party(key, known, FOREVER) for key in keys]
    every = [party.party_key for party in evidence.parties]
    touched = list(keys)
    for _ in range(number // 2):
        left, right = sorted(chance.sample((chance.choice(keys), chance.choice(every)), 2))
        if left != right and not any((edge.left, edge.right) == (left, right) for edge in evidence.edges):
            rule = chance.choice(("id_token", "bound_card", "similar", "similar", "different"))
            weight = chance.randrange(1, 900) / 7 if rule == "similar" else None
            tolerates = chance.choice(((), ("birth_date",)))
            evidence.edges.append(Edge(left, right, rule, known, FOREVER, weight, tolerates, chance.random() < 0.1))
            touched += [left, right]
    for key in keys:
        evidence.facts.append(
            Fact(key, "birth_date", f"198{chance.randrange(3)}-01-0{chance.randrange(1, 4)}", known, FOREVER)
        )
    return touched


def test_days_on_what_was_kept_equal_all_at_once(evidence: Evidence) -> None:
    assert evidence.linked(0) == evidence.whole() and evidence.formed == 200
    chance = random.Random(7)
    for day in range(1, 4):
        grow(evidence, chance, day, 8)
        assert evidence.linked(day) == evidence.whole()
        assert 8 <= evidence.formed < 90  # the new ones, and what they tie
    assert evidence.linked(6) == evidence.whole() and evidence.formed == 0
    assert (
        evidence.linked(-1) == evidence.whole() and evidence.formed < 150
    )  # an earlier date takes over from the first


@pytest.mark.parametrize("kind", ["party", "edge", "weight", "fact", "gone", "two in one"])
def test_whatever_changes_forms_its_component_anew(evidence: Evidence, kind: str) -> None:
    evidence.linked(0)
    edge = next(edge for edge in evidence.edges if edge.rule == "similar")
    at = evidence.edges.index(edge)
    end = FIRST + timedelta(9)
    match kind:
        case "party":
            party = evidence.parties[7]
            evidence.parties[7] = Party(party.party_key, party.known_from, end)
        case "edge":
            evidence.edges[at] = Edge(*[*vars(edge).values()][:4], end, edge.weight, edge.tolerates, edge.is_alone)
        case "weight":
            evidence.edges[at] = Edge(*[*vars(edge).values()][:5], 0.125, edge.tolerates, edge.is_alone)
        case "fact":
            evidence.facts.append(Fact(edge.left, "id_no", "A1", end, FOREVER))
        case "gone":
            del evidence.edges[at]
        case "two in one":
            evidence.edges.append(Edge(evidence.parties[5].party_key, edge.left, "clerk", end, FOREVER))
    assert evidence.linked(1) == evidence.whole()
    assert 0 < evidence.formed < 90


def test_a_changed_file_is_not_taken_over(evidence: Evidence) -> None:
    evidence.linked(0)
    rows = pq.read_table(evidence.path(0))
    others = ["cif:somebody", *rows["customer_key"].to_pylist()[1:]]
    pq.write_table(rows.set_column(1, "customer_key", pa.array(others)), evidence.path(0))
    assert evidence.linked(1) == evidence.whole() and 0 < evidence.formed < 90


@pytest.mark.parametrize("spoilt", ["customers", "seals", "no seals"])
def test_what_cannot_be_read_is_not_taken_over(evidence: Evidence, spoilt: str) -> None:
    evidence.linked(0)
    if spoilt == "no seals":
        components_file(evidence.path(0)).unlink()
    else:
        {"customers": evidence.path(0), "seals": components_file(evidence.path(0))}[spoilt].write_text("torn")
    assert evidence.linked(1) == evidence.whole() and evidence.formed == 200


def test_other_rules_or_another_secret_form_all_anew(evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence.linked(0)
    assert evidence.linked(1, secret="t" * 32) == evidence.whole() and evidence.formed == 200
    monkeypatch.setattr(components.inspect, "getsource", lambda _: "other rules")
    assert evidence.linked(2, secret="t" * 32) == evidence.whole() and evidence.formed == 200


def test_seals_hold_no_person(evidence: Evidence) -> None:
    evidence.linked(0)
    assert pq.read_schema(components_file(evidence.path(0))).names == ["component", "seal"]
