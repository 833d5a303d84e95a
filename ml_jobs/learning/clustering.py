"""Groups of alike customers: how many, which, what they are called, and how far one can rely on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from ml_jobs.learning.metrics import REPLICATES, Interval, interval

SEED = 20240229
FIT_ROWS = 50_000  # at most: more would not move a centre
CHOICE_ROWS = 4_000  # at most, to choose the number of groups
HALVES = 5  # pairs of random halves
STARTS = 4  # of the search for centres
DISTINCT = 0.25  # standard deviations, from which on a trait tells a group from the others
NAMED, PROFILED = 2, 5  # traits in a name, at least where they are distinct; in a profile, at most

Mark = tuple[tuple[int, bool], ...]  # columns of traits, and whether the group is high in each


class Words(BaseModel):
    """The same in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    en: str
    zh: str


class Trait(BaseModel):
    """Something that customers have more or less of."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    features: tuple[str, ...]
    absent: float | None = 0.0
    words: Words
    high: Words
    low: Words


class Traits(BaseModel):
    """The content of ``segments.yml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    groups: tuple[Annotated[int, Field(ge=2)], int]
    months: int
    least_customers: int
    traits: tuple[Trait, ...]
    described_by: tuple[Trait, ...] = ()

    @property
    def all(self) -> tuple[Trait, ...]:
        """Those that group, then those that describe."""
        return self.traits + self.described_by

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(feature for trait in self.all for feature in trait.features))


@dataclass(frozen=True)
class Grouping:
    """Fitted groups: a frozen map from traits to places among customers, and the centre of each group there."""

    ranks: Pipeline
    centres: KMeans
    ids: tuple[int, ...]  # of the groups, in the order of the centres

    def places(self, values: np.ndarray) -> np.ndarray:
        """(n, traits that group) in standard deviations from the mean place; who lacks a trait is in the middle."""
        return np.nan_to_num(self.ranks.transform(values[:, : self.ranks.n_features_in_]))

    def assign(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of each row the group's id, the distance to its centre, and the confidence: 0 as near to another, 1 at it."""
        if not len(values):
            return np.zeros(0, int), np.zeros(0), np.zeros(0)
        distance = cdist(self.places(values), self.centres.cluster_centers_)
        nearest = np.sort(distance, axis=1)
        own = np.array(self.ids)[distance.argmin(axis=1)]
        return own, nearest[:, 0].round(9), (1 - nearest[:, 0] / np.maximum(nearest[:, 1], 1e-12)).round(9)


def trait_values(traits: Traits, values: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    """(n, traits) from (n, columns) features, nan where missing."""
    filled = []
    for trait in traits.all:
        own = values[:, [columns.index(feature) for feature in trait.features]].astype(float)
        filled.append((own if trait.absent is None else np.nan_to_num(own, nan=trait.absent)).sum(axis=1))
    return np.column_stack(filled)


def group(values: np.ndarray, traits: Traits, before: Grouping | None) -> tuple[Grouping, dict[str, Any]]:
    """Group customers; what was found on the way.

    Without a model before, the number of groups is the fewest whose models, fitted on random halves of the customers,
    are as alike (mean adjusted Rand index) as those of any number, within a standard error. With one, its groups are
    carried on: the search starts from where their members are now, and ids follow the nearest centres.

    Parameters
    ----------
    values : (n, all traits) array
        In a fixed order of customers.
    """
    some = values[:: -(-len(values) // FIT_ROWS)]
    with threadpool_limits(1):  # so that sums are taken in the same order on every machine
        ranks, places = _ranked(some[:, : len(traits.traits)])
        if before is None:
            tried = _tried(places[:: -(-len(places) // CHOICE_ROWS)], range(traits.groups[0], traits.groups[1] + 1))
            best = max(tried.values(), key=lambda found: found["halves_adjusted_rand"])
            enough = best["halves_adjusted_rand"] - best["halves_standard_error"]
            count = min(number for number, found in tried.items() if found["halves_adjusted_rand"] >= enough)
            centres = KMeans(count, n_init=STARTS, random_state=SEED).fit(places)
            # The first model numbers its groups by assets.
            order = np.argsort(-centres.cluster_centers_[:, 0], kind="stable")
            ids = tuple(int(place) + 1 for place in np.argsort(order))
            return Grouping(ranks, centres, ids), {"tried": tried}
        own, _, _ = before.assign(some)
        kept = [number for number in before.ids if (own == number).any()]
        start = np.array([places[own == number].mean(axis=0) for number in kept])
        centres = KMeans(len(kept), init=start, n_init=1, random_state=SEED).fit(places)
        fresh, old = linear_sum_assignment(cdist(centres.cluster_centers_, start))
        return Grouping(ranks, centres, tuple(kept[at] for at in old[np.argsort(fresh)])), {"tried": {}}


def described(
    grouping: Grouping, values: np.ndarray, traits: Traits, before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Name, profile and traits of each group, by id. A name is made of the traits that distinguish the group most.

    A trait distinguishes a group by how far its mean place is from that of all customers, in standard deviations. A
    name is kept as long as its traits still do.

    Parameters
    ----------
    before : list of dict
        What this function said of the model before; empty for a first model.
    """
    own, _, _ = grouping.assign(values)
    ids = [number for number in sorted(grouping.ids) if (own == number).any()]
    places = _ranked(values)[1]
    deviation = np.array([places[own == number].mean(axis=0) for number in ids])
    orders = np.argsort(-np.abs(deviation), axis=1, kind="stable")
    columns = {trait.name: column for column, trait in enumerate(traits.traits)}
    named = {
        told["segment_id"]: tuple((columns[name], is_high) for name, is_high in told["named_by"])
        for told in before
        if all(name in columns for name, _ in told["named_by"])
    }
    marks = _marks(deviation, traits, [named.get(number) for number in ids])
    names = _names(marks, traits)
    return [
        {
            "segment_id": number,
            "name": names[at],
            "named_by": [[traits.traits[column].name, is_high] for column, is_high in marks[at]],
            "profile": _profile(deviation[at], orders[at], traits),
            "traits": [
                {
                    "trait": trait.name,
                    "words": trait.words.model_dump(),
                    "deviation": float(deviation[at, column].round(6)),
                    "median": _median(values[own == number, column]),
                    "median_of_all": _median(values[:, column]),
                }
                for column, trait in enumerate(traits.all)
            ],
        }
        for at, number in enumerate(ids)
    ]


def silhouette(grouping: Grouping, values: np.ndarray) -> float:
    """Mean silhouette width of some customers: 1 is far apart, 0 is touching."""
    places = grouping.places(values[:: -(-len(values) // CHOICE_ROWS)])
    labels = grouping.centres.predict(places)
    return float(silhouette_score(places, labels)) if 1 < len(np.unique(labels)) < len(labels) else 0.0


def adjusted_rand(one: np.ndarray, other: np.ndarray) -> Interval:
    """Adjusted Rand index of two groupings of the same customers, with the interval of a bootstrap over customers."""
    table = np.unique(np.column_stack([one, other]), axis=0, return_counts=True)
    counts = np.zeros((max(one) + 1, max(other) + 1))
    counts[tuple(table[0].T)] = table[1]
    drawn = np.random.default_rng(SEED).multinomial(len(one), (counts / len(one)).ravel(), REPLICATES)
    replicates = [_rand(replicate.reshape(counts.shape)) for replicate in drawn]
    return interval([adjusted_rand_score(one, other), *replicates])


def refitted(values: list[np.ndarray], count: int) -> Iterator[Interval]:
    """How alike two models are that were fitted afresh on consecutive months, on the customers of the later one."""
    with threadpool_limits(1):
        fitted = [_fitted(month, count) for month in values]
        for month, (before, now) in zip(values[1:], pairwise(fitted), strict=True):
            yield adjusted_rand(before.assign(month)[0], now.assign(month)[0])


def _ranked(values: np.ndarray) -> tuple[Pipeline, np.ndarray]:
    """The map from values to places, and the places: ranks, since amounts span six orders of magnitude."""
    rank = QuantileTransformer(n_quantiles=min(200, len(values)), random_state=SEED)
    ranks = Pipeline([("rank", rank), ("scale", StandardScaler())]).fit(values)
    return ranks, np.nan_to_num(ranks.transform(values))


def _fitted(values: np.ndarray, count: int) -> Grouping:
    ranks, places = _ranked(values)
    return Grouping(ranks, KMeans(count, n_init=STARTS, random_state=SEED).fit(places), tuple(range(count)))


def _tried(places: np.ndarray, counts: range) -> dict[int, dict[str, float]]:
    random = np.random.default_rng(SEED)
    shuffled = [random.permutation(len(places)) for _ in range(HALVES)]
    tried = {}
    for count in counts:
        alike = []
        for order in shuffled:
            one, other = (
                KMeans(count, n_init=2, random_state=SEED).fit(places[half]) for half in np.array_split(order, 2)
            )
            alike.append(adjusted_rand_score(one.predict(places), other.predict(places)))
        tried[count] = {
            "halves_adjusted_rand": float(np.mean(alike)),
            "halves_standard_error": float(np.std(alike, ddof=1) / np.sqrt(HALVES)),
        }
    return tried


def _marks(deviation: np.ndarray, traits: Traits, kept: list[Mark | None]) -> list[Mark]:
    """What each group is named by: what it was named by before if that still holds, else what distinguishes it most."""
    grouped = deviation[:, : len(traits.traits)]
    orders = np.argsort(-np.abs(grouped), axis=1, kind="stable")
    distinct = [
        tuple((int(column), bool(own[column] > 0)) for column in order if abs(own[column]) >= DISTINCT)
        for own, order in zip(grouped, orders, strict=True)
    ]
    holds = [mark if mark and set(mark) <= set(own) else None for mark, own in zip(kept, distinct, strict=True)]
    counts = [NAMED] * len(distinct)
    while True:
        marks = [mark or own[:count] for mark, own, count in zip(holds, distinct, counts, strict=True)]
        longer = [
            at
            for at, mark in enumerate(marks)
            if marks.count(mark) > 1 and not holds[at] and counts[at] < len(distinct[at])
        ]
        if not longer:
            return marks
        for at in longer:
            counts[at] += 1


def _names(marks: list[Mark], traits: Traits) -> list[dict[str, str]]:
    names = []
    for at, mark in enumerate(marks):
        words = [traits.traits[column].high if is_high else traits.traits[column].low for column, is_high in mark]
        twins = marks[:at].count(mark)  # alike in every distinct trait
        number = f" ({twins + 1})" if twins else ""
        en, zh = ", ".join(word.en for word in words), "、".join(word.zh for word in words)
        names.append({"en": (en or "average customers") + number, "zh": (zh or "中等客户") + number})
    return names


def _profile(deviation: np.ndarray, order: np.ndarray, traits: Traits) -> dict[str, str]:
    told = [column for column in order if abs(deviation[column]) >= DISTINCT][:PROFILED]
    sides = {
        "en": (("high", "low"), ": ", ", ", "; ", "like the average customer"),
        "zh": (("偏高", "偏低"), "：", "、", "；", "与平均客户相近"),
    }
    profile = {}
    for language, (heads, colon, comma, stop, nothing) in sides.items():
        parts = []
        for head, columns in zip(
            heads, ([c for c in told if deviation[c] > 0], [c for c in told if deviation[c] < 0]), strict=True
        ):
            if columns:
                parts.append(head + colon + comma.join(getattr(traits.all[c].words, language) for c in columns))
        profile[language] = stop.join(parts) or nothing
    return profile


def _median(values: np.ndarray) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known).round(4)) if len(known) else None


def _rand(counts: np.ndarray) -> float:
    """Adjusted Rand index from a contingency table (Hubert & Arabie 1985)."""
    pairs = (counts * (counts - 1) / 2).sum()
    rows, columns = (counts.sum(axis=axis) for axis in (1, 0))
    of_rows, of_columns = ((sums * (sums - 1) / 2).sum() for sums in (rows, columns))
    total = counts.sum() * (counts.sum() - 1) / 2
    expected, most = of_rows * of_columns / total, (of_rows + of_columns) / 2
    return float((pairs - expected) / (most - expected)) if most > expected else 1.0
