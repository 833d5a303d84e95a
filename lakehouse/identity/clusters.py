"""Clusters of party records over time: which records are one customer, from when until when."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import product

from lakehouse.identity.evidence import FOREVER, Edge, Fact, Party

_STRENGTH = {"clerk": 0, "id_token": 1, "bound_card": 2, "lead": 3, "similar": 4, "left over": 5}


@dataclass(frozen=True)
class Membership:
    """A party record belongs to a customer in a half-open span; ``rule`` is the evidence that tied it.

    Where the customer holds a record that differs in an identity document or a birth date, the rule says it:
    ``similar, birth_date differs``.
    """

    party_key: str
    customer_key: str
    rule: str
    match_weight: float | None
    valid_from: date
    valid_to: date | None


Belonging = tuple[str, str, float | None]  # customer key, rule, match weight


def memberships(parties: Iterable[Party], edges: Iterable[Edge], facts: Iterable[Fact] = ()) -> list[Membership]:
    """The customer of every party record, with the spans of business dates on which each holds.

    The customers of a date follow from the evidence of that date alone, strongest first: evidence that would join
    records that differ in a fact is left out (unless it tolerates that difference), and so is what a clerk refused. A
    customer's key is the earliest-known party record of its cluster (ties: the smaller key).

    Returns
    -------
    list of Membership
        By party key and ``valid_from``; the spans of one party neither overlap nor leave a gap while it is known.
    """
    known = {party.party_key: party for party in parties}
    edges = [edge for edge in edges if edge.left in known and edge.right in known]
    facts_of: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        facts_of[fact.party_key].append(fact)
    spans, tied = [], set()
    for members, ties in _components(edges):
        tied.update(members)
        differences = [fact for key in members for fact in facts_of[key]]
        spans += _component_spans({key: known[key] for key in members}, ties, differences)
    alone = (party for key, party in known.items() if key not in tied and party.known_from < party.known_to)
    spans += (_membership(party, (party.party_key, "self", None), party.known_from, party.known_to) for party in alone)
    return sorted(spans, key=lambda span: (span.party_key, span.valid_from))


def _components(edges: list[Edge]) -> Iterator[tuple[list[str], list[Edge]]]:
    """Connected components: records that evidence of any time ties, even through others; each is worked on alone."""
    root: dict[str, str] = {}

    def find(key: str) -> str:
        while (above := root.setdefault(key, key)) != key:
            root[key] = key = root[above]
        return key

    for edge in edges:
        left, right = find(edge.left), find(edge.right)
        if left != right:
            root[max(left, right)] = min(left, right)
    members: dict[str, list[str]] = defaultdict(list)
    for key in root:
        members[find(key)].append(key)
    ties: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        ties[find(edge.left)].append(edge)
    for key, keys in members.items():
        yield keys, ties[key]


def _component_spans(known: dict[str, Party], edges: list[Edge], facts: list[Fact]) -> Iterator[Membership]:
    """The history of one component: it is clustered anew on every date on which something in it changes."""
    spans = [*known.values(), *edges, *facts]
    history: dict[str, list[tuple[date, Belonging]]] = defaultdict(list)
    for day in sorted({moment for span in spans for moment in (span.known_from, span.known_to)} - {FOREVER}):
        present = [key for key, party in known.items() if party.known_from <= day]
        state = _clusters(present, known, [e for e in edges if _holds(e, day)], [f for f in facts if _holds(f, day)])
        for key, customer in state.items():
            if not history[key] or history[key][-1][1] != customer:
                history[key].append((day, customer))
    for key, changes in history.items():
        for (start, customer), following in zip(changes, [*changes[1:], None], strict=True):
            end = min(following[0] if following else FOREVER, known[key].known_to)
            if start < end:
                yield _membership(known[key], customer, start, end)


def _holds(span: Edge | Fact, day: date) -> bool:
    """Whether it is known on the day."""
    return span.known_from <= day < span.known_to


def _membership(party: Party, belonging: Belonging, start: date, end: date) -> Membership:
    return Membership(party.party_key, *belonging, start, None if end == FOREVER else end)


Values = dict[str, Counter[str]]  # kind of fact -> value -> number of records that have it


@dataclass
class _Cluster:
    """Records joined so far on one date, with all values of each fact, and the evidence for each record."""

    members: list[str]
    values: Values
    ties: dict[str, Edge] = field(default_factory=dict)  # the strongest edge of each member

    @property
    def feeds(self) -> set[str]:
        """Where the records come from."""
        return {key.partition(":")[0] for key in self.members}


Tolerated = set[tuple[str, str, str]]  # kind of fact, and two values that one person may have, in both orders


def _clusters(
    present: list[str], known: dict[str, Party], edges: list[Edge], facts: list[Fact]
) -> dict[str, Belonging]:
    """The customer of every record on one date."""
    values: dict[str, Values] = {key: defaultdict(Counter) for key in known}
    for fact in facts:
        values[fact.party_key][fact.kind][fact.value] = 1
    refused = {frozenset((edge.left, edge.right)) for edge in edges if edge.rule == "different"}
    joining = [edge for edge in edges if edge.rule != "different"]
    tolerated: Tolerated = {
        (kind, one, other)
        for edge in joining
        for kind in edge.tolerates
        for pair in product(values[edge.left][kind], values[edge.right][kind])
        for one, other in (pair, pair[::-1])
    }
    dates = {key: set(kinds["birth_date"]) for key, kinds in values.items()}
    clusters = {key: _Cluster([key], values[key]) for key in known}
    for edge in sorted(joining, key=_order):
        left, right = clusters[edge.left], clusters[edge.right]
        if left is not right:
            if edge.is_alone and left.feeds & right.feeds:
                continue
            if any(frozenset(pair) in refused for pair in product(left.members, right.members)):
                continue
            has_slips = "birth_date" in edge.tolerates or not (
                dates[edge.left] and dates[edge.right] and dates[edge.left] != dates[edge.right]
            )
            if edge.rule != "clerk" and _differ(edge, left, right, tolerated, has_slips=has_slips):
                continue
            for kind, others in right.values.items():
                left.values[kind] = left.values[kind] + others
            left.members += right.members
            left.ties |= right.ties
            for key in right.members:
                clusters[key] = left
        for key in (edge.left, edge.right):
            left.ties.setdefault(key, edge)
    state: dict[str, Belonging] = {}
    for key in present:
        cluster = clusters[key]
        first = min(cluster.members, key=lambda member: (known[member].known_from, member))
        if first == key:
            state[key] = (key, "self", None)
        else:
            differing = [
                f", {kind} differs"
                for kind in ("id_no", "birth_date")
                if values[key][kind] and len(cluster.values[kind]) > len(values[key][kind])
            ]
            state[key] = (first, cluster.ties[key].rule + "".join(differing), cluster.ties[key].weight)
    return state


def _order(edge: Edge) -> tuple[bool, int, float, str, str, date]:
    """The strongest evidence first; ties in an order that does not depend on the order of the edges."""
    return (edge.is_alone, _STRENGTH[edge.rule], -(edge.weight or 0.0), edge.left, edge.right, edge.known_from)


def _differ(edge: Edge, left: _Cluster, right: _Cluster, tolerated: Tolerated, *, has_slips: bool) -> bool:
    """Whether two clusters hold values that one person cannot have both; ``has_slips``: a slip in a date is none."""
    for kind in left.values.keys() & right.values.keys():
        if edge.rule == "id_token" and kind in edge.tolerates:
            continue
        if all(
            one == other or (kind, one, other) in tolerated
            for one, other in product(left.values[kind], right.values[kind])
        ):
            continue
        if (
            kind == "birth_date"
            and has_slips
            and edge.rule in ("similar", "left over")
            and _has_one_date(left.values[kind] + right.values[kind], tolerated)
        ):
            continue
        return True
    return False


def _has_one_date(dates: Counter[str], tolerated: Tolerated) -> bool:
    """Whether all dates are one date with a slip here and there.

    Slips do not compose: two dates with one slip each differ by two. So each is held against the best-supported date,
    not against each other: the one that most records have, or that most have digit by digit.
    """
    most = max(dates.values())
    by_digit = "".join(_most_common(digits, dates.values()) for digits in zip(*dates, strict=True))
    return any(
        all(date == centre or _is_slip(date, centre) or ("birth_date", date, centre) in tolerated for date in dates)
        for centre in sorted({by_digit, *(date for date, times in dates.items() if times == most)})
    )


def _most_common(digits: Iterable[str], times: Iterable[int]) -> str:
    counts: Counter[str] = Counter()
    for digit, number in zip(digits, times, strict=True):
        counts[digit] += number
    return max(sorted(counts), key=lambda digit: counts[digit])


def _is_slip(one: str, other: str) -> bool:
    """Whether two dates (ISO) differ by one digit, two neighbours in the wrong order, or days and months swapped."""
    places = [at for at, (left, right) in enumerate(zip(one, other, strict=True)) if left != right]
    if len(places) == 1:
        return True
    digits, others = one.replace("-", ""), other.replace("-", "")
    at = [place for place in range(8) if digits[place] != others[place]]
    is_transposed = (
        len(at) == 2 and at[1] == at[0] + 1 and digits[at[0]] + digits[at[1]] == others[at[1]] + others[at[0]]
    )
    return is_transposed or one == f"{other[:4]}-{other[8:]}-{other[5:7]}"
