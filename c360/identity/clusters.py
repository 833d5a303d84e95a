"""Clusters of party records over time: who shared a customer with whom, from when until when."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from c360.identity.evidence import FOREVER, Edge, Party


@dataclass(frozen=True)
class Membership:
    """A party record belongs to a customer in a half-open span; ``rule`` is the evidence that tied it."""

    party_key: str
    customer_key: str
    rule: str
    valid_from: date
    valid_to: date | None


def memberships(parties: Iterable[Party], edges: Iterable[Edge]) -> list[Membership]:
    """Replay the evidence date by date.

    A customer's key is the earliest-known party record of its cluster (ties: the smaller key), so it does not depend
    on the order of the evidence; when evidence ends, clusters are made again from what is left.

    Returns
    -------
    list of Membership
        By party key and ``valid_from``; the spans of one party neither overlap nor leave a gap while it is known.
    """
    known = {party.party_key: party for party in parties}
    starts: dict[date, list[Edge]] = defaultdict(list)
    ends: dict[date, list[Edge]] = defaultdict(list)
    for edge in edges:
        starts[edge.known_from].append(edge)
        ends[edge.known_to].append(edge)
    history: dict[str, list[tuple[date, str, str]]] = defaultdict(list)
    forest = _Forest(known)
    valid: dict[Edge, None] = {}
    arrivals: dict[date, list[str]] = defaultdict(list)
    for party in known.values():
        arrivals[party.known_from].append(party.party_key)
    for day in sorted({*arrivals, *starts, *ends} - {FOREVER}):
        touched = set(arrivals[day])
        if ended := ends[day]:
            for edge in ended:
                valid.pop(edge, None)
            forest = _Forest(known)
            touched |= {key for edge in (*ended, *valid) for key in (edge.left, edge.right)}
            for edge in valid:
                forest.join(edge)
        for edge in starts[day]:
            valid[edge] = None
            touched |= forest.join(edge)
        for key in touched:
            state = forest.state(key)
            if key in known and (not history[key] or history[key][-1][1:] != state):
                history[key].append((day, *state))
    return sorted(_spans(known, history), key=lambda m: (m.party_key, m.valid_from))


class _Forest:
    """Disjoint sets of party records, each with its members and the record that names it."""

    def __init__(self, known: dict[str, Party]) -> None:
        self._known = known
        self._root: dict[str, str] = {}
        self._members: dict[str, list[str]] = {}
        self._rule: dict[str, str] = {}

    def state(self, key: str) -> tuple[str, str]:
        """(customer_key, rule) of a record."""
        customer_key = self._root.get(key, key)
        return customer_key, "self" if customer_key == key else self._rule[key]

    def join(self, edge: Edge) -> set[str]:
        """Join the two clusters of an edge; returns the records whose customer may have changed."""
        one, other = self._root.get(edge.left, edge.left), self._root.get(edge.right, edge.right)
        for key in (edge.left, edge.right):
            self._rule.setdefault(key, edge.rule)
        if one == other:
            return set()
        winner, loser = sorted((one, other), key=lambda key: (self._known[key].known_from, key))
        moved = self._members.pop(loser, [loser])
        for key in moved:
            self._root[key] = winner
            self._rule.setdefault(key, edge.rule)
        self._members.setdefault(winner, [winner]).extend(moved)
        return set(moved)


def _spans(known: dict[str, Party], history: dict[str, list[tuple[date, str, str]]]) -> Iterator[Membership]:
    for key, changes in history.items():
        last = known[key].known_to
        for (start, customer_key, rule), following in zip(changes, [*changes[1:], None], strict=True):
            end = following[0] if following else (None if last == FOREVER else last)
            if end is None or start < end:
                yield Membership(key, customer_key, rule, start, end)
