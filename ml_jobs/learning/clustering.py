"""Clusters of customers by k-means: how many, what they are called, and how stable they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, TypedDict

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from lakehouse.language import Language
from ml_jobs.learning import SEED
from ml_jobs.learning.metrics import REPLICATES, Interval, interval

FIT_ROWS = 50_000  # at most: more would not move a centre
CHOICE_ROWS = 4_000  # at most, to choose the number of clusters
HALVES = 5  # pairs of random halves
STARTS = 4  # of k-means
DISTINCT = 0.25  # standard deviations, from which on a trait distinguishes a cluster
NAMED, PROFILED = 2, 5  # traits in a name, at least where they are distinct; in a profile, at most

NamingTraits = tuple[tuple[int, bool], ...]  # columns of traits, and whether the cluster is high in each


class Words(BaseModel):
    """One text in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    en: str
    zh: str


class Trait(BaseModel):
    """A measure of customers: the sum of some features."""

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
        """Those that k-means uses, then those that only describe."""
        return self.traits + self.described_by

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(feature for trait in self.all for feature in trait.features))


class TraitFigures(TypedDict):
    """One trait of a cluster beside that of all customers; ``deviation`` is in standard deviations."""

    trait: str
    words: dict[Language, str]
    deviation: float
    median: float | None
    median_of_all: float | None


class ClusterDescription(TypedDict):
    """Name, profile and traits of a cluster; ``named_by`` holds (trait, whether the cluster is high in it)."""

    segment_id: int
    name: dict[Language, str]
    named_by: list[tuple[str, bool]]
    profile: dict[Language, str]
    traits: list[TraitFigures]


class Agreement(TypedDict):
    """Adjusted Rand index of models fitted on random halves of the customers."""

    halves_adjusted_rand: float
    halves_standard_error: float


@dataclass(frozen=True)
class Clustering:
    """A fitted model: a frozen map from traits to standardised ranks, and the centre of each cluster there."""

    ranks: Pipeline
    centres: KMeans
    ids: tuple[int, ...]  # of the clusters, in the order of the centres

    def standardised(self, values: np.ndarray) -> np.ndarray:
        """(n, k-means traits) ranks in standard deviations from the mean; a missing trait counts as the mean."""
        return np.nan_to_num(self.ranks.transform(values[:, : self.ranks.n_features_in_]))

    def assign(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cluster id, distance to its centre, and confidence of each row.

        The confidence is 1 at the centre, and 0 where another centre is as near.
        """
        if not len(values):
            return np.zeros(0, int), np.zeros(0), np.zeros(0)
        distance = cdist(self.standardised(values), self.centres.cluster_centers_)
        nearest = np.sort(distance, axis=1)
        ids = np.array(self.ids)[distance.argmin(axis=1)]
        return ids, nearest[:, 0].round(9), (1 - nearest[:, 0] / np.maximum(nearest[:, 1], 1e-12)).round(9)


def trait_values(traits: Traits, values: np.ndarray, columns: tuple[str, ...]) -> np.ndarray:
    """(n, traits) from (n, columns) features, nan where missing."""
    columns_of_traits = []
    for trait in traits.all:
        summed = values[:, [columns.index(feature) for feature in trait.features]].astype(float)
        if trait.absent is not None:
            summed = np.nan_to_num(summed, nan=trait.absent)
        columns_of_traits.append(summed.sum(axis=1))
    return np.column_stack(columns_of_traits)


def fit_clusters(
    values: np.ndarray, traits: Traits, previous: Clustering | None
) -> tuple[Clustering, dict[int, Agreement]]:
    """Fit k-means; the agreement of each number of clusters that was tried.

    Without a previous model, the number of clusters is the smallest whose models, fitted on random halves of the
    customers, agree as well (mean adjusted Rand index) as those of any number, within a standard error. With one, its
    clusters continue: k-means starts from where their members are now, and ids follow the nearest centres.

    Parameters
    ----------
    values : (n, all traits) array
        In a fixed order of customers.
    """
    sample = values[:: -(-len(values) // FIT_ROWS)]
    with threadpool_limits(1):  # so that sums are taken in the same order on every machine
        ranks, points = _fit_ranks(sample[:, : len(traits.traits)])
        if previous is None:
            centres, tried = _choose_count(points, range(traits.groups[0], traits.groups[1] + 1))
            # The first model numbers its clusters by assets, the largest first.
            order = np.argsort(-centres.cluster_centers_[:, 0], kind="stable")
            ids = tuple(int(place) + 1 for place in np.argsort(order))
            return Clustering(ranks, centres, ids), tried
        members, _, _ = previous.assign(sample)
        kept = [number for number in previous.ids if (members == number).any()]
        start = np.array([points[members == number].mean(axis=0) for number in kept])
        centres = KMeans(len(kept), init=start, n_init=1, random_state=SEED).fit(points)
        fresh, old = linear_sum_assignment(cdist(centres.cluster_centers_, start))
        return Clustering(ranks, centres, tuple(kept[at] for at in old[np.argsort(fresh)])), {}


def describe_clusters(
    clustering: Clustering, values: np.ndarray, traits: Traits, previous: list[ClusterDescription]
) -> list[ClusterDescription]:
    """Name, profile and traits of each cluster, by id; its most distinctive traits make its name.

    A trait distinguishes a cluster by how far its mean rank is from that of all customers, in standard deviations. A
    name is kept as long as its traits still distinguish the cluster.

    Parameters
    ----------
    values : (n, all traits) array
    previous : list of ClusterDescription
        Of the previous model; empty for a first one.
    """
    members, _, _ = clustering.assign(values)
    ids = [number for number in sorted(clustering.ids) if (members == number).any()]
    points = _fit_ranks(values)[1]
    deviation = np.array([points[members == number].mean(axis=0) for number in ids])
    orders = np.argsort(-np.abs(deviation), axis=1, kind="stable")
    columns = {trait.name: column for column, trait in enumerate(traits.traits)}
    named = {
        cluster["segment_id"]: tuple((columns[name], is_high) for name, is_high in cluster["named_by"])
        for cluster in previous
        if all(name in columns for name, _ in cluster["named_by"])
    }
    naming = _naming_traits(deviation, traits, [named.get(number) for number in ids])
    names = _names(naming, traits)
    return [
        {
            "segment_id": number,
            "name": names[at],
            "named_by": [(traits.traits[column].name, is_high) for column, is_high in naming[at]],
            "profile": _profile(deviation[at], orders[at], traits),
            "traits": _trait_figures(values, members == number, deviation[at], traits),
        }
        for at, number in enumerate(ids)
    ]


def _trait_figures(
    values: np.ndarray, is_member: np.ndarray, deviation: np.ndarray, traits: Traits
) -> list[TraitFigures]:
    return [
        {
            "trait": trait.name,
            "words": {"en": trait.words.en, "zh": trait.words.zh},
            "deviation": float(deviation[column].round(6)),
            "median": _median(values[is_member, column]),
            "median_of_all": _median(values[:, column]),
        }
        for column, trait in enumerate(traits.all)
    ]


def silhouette(clustering: Clustering, values: np.ndarray) -> float:
    """Mean silhouette width of a sample of customers: 1 is far apart, 0 is touching."""
    points = clustering.standardised(values[:: -(-len(values) // CHOICE_ROWS)])
    labels = clustering.centres.predict(points)
    return float(silhouette_score(points, labels)) if 1 < len(np.unique(labels)) < len(labels) else 0.0


def adjusted_rand(one: np.ndarray, other: np.ndarray) -> Interval:
    """Adjusted Rand index of two partitions of the same customers, with the interval of a bootstrap over customers.

    >>> adjusted_rand(np.array([0, 0, 1, 1] * 50), np.array([1, 1, 0, 0] * 50)).value
    1.0
    """
    table = np.unique(np.column_stack([one, other]), axis=0, return_counts=True)
    counts = np.zeros((max(one) + 1, max(other) + 1))
    counts[tuple(table[0].T)] = table[1]
    drawn = np.random.default_rng(SEED).multinomial(len(one), (counts / len(one)).ravel(), REPLICATES)
    replicates = [_rand(replicate.reshape(counts.shape)) for replicate in drawn]
    return interval([adjusted_rand_score(one, other), *replicates], most=1)


def refit_agreement(values: list[np.ndarray], count: int) -> Iterator[Interval]:
    """Agreement of models fitted afresh on consecutive months, on the customers of the later one."""
    with threadpool_limits(1):
        models = [_fit_afresh(month, count) for month in values]
        for month, (before, now) in zip(values[1:], pairwise(models), strict=True):
            yield adjusted_rand(before.assign(month)[0], now.assign(month)[0])


def _fit_ranks(values: np.ndarray) -> tuple[Pipeline, np.ndarray]:
    """The map from values to standardised ranks, and the ranks; amounts span six orders of magnitude."""
    rank = QuantileTransformer(n_quantiles=min(200, len(values)), random_state=SEED)
    ranks = Pipeline([("rank", rank), ("scale", StandardScaler())]).fit(values)
    return ranks, np.nan_to_num(ranks.transform(values))


def _fit_afresh(values: np.ndarray, count: int) -> Clustering:
    ranks, points = _fit_ranks(values)
    return Clustering(ranks, KMeans(count, n_init=STARTS, random_state=SEED).fit(points), tuple(range(count)))


def _choose_count(points: np.ndarray, counts: range) -> tuple[KMeans, dict[int, Agreement]]:
    """K-means with the smallest number of clusters that agrees well enough, and the agreement of every number."""
    tried = _agreement_by_count(points[:: -(-len(points) // CHOICE_ROWS)], counts)
    best = max(tried.values(), key=lambda agreement: agreement["halves_adjusted_rand"])
    enough = best["halves_adjusted_rand"] - best["halves_standard_error"]
    count = min(number for number, agreement in tried.items() if agreement["halves_adjusted_rand"] >= enough)
    return KMeans(count, n_init=STARTS, random_state=SEED).fit(points), tried


def _agreement_by_count(points: np.ndarray, counts: range) -> dict[int, Agreement]:
    random = np.random.default_rng(SEED)
    shuffled = [random.permutation(len(points)) for _ in range(HALVES)]
    tried: dict[int, Agreement] = {}
    for count in counts:
        indices = []
        for order in shuffled:
            one, other = (
                KMeans(count, n_init=2, random_state=SEED).fit(points[half]) for half in np.array_split(order, 2)
            )
            indices.append(adjusted_rand_score(one.predict(points), other.predict(points)))
        tried[count] = {
            "halves_adjusted_rand": float(np.mean(indices)),
            "halves_standard_error": float(np.std(indices, ddof=1) / np.sqrt(HALVES)),
        }
    return tried


def _naming_traits(deviation: np.ndarray, traits: Traits, previous: list[NamingTraits | None]) -> list[NamingTraits]:
    """The traits in each cluster's name: those of its previous name if they still hold, else the most distinctive."""
    of_traits = deviation[:, : len(traits.traits)]
    orders = np.argsort(-np.abs(of_traits), axis=1, kind="stable")
    distinct = [
        tuple((int(column), bool(cluster[column] > 0)) for column in order if abs(cluster[column]) >= DISTINCT)
        for cluster, order in zip(of_traits, orders, strict=True)
    ]
    holding = [
        name if name and set(name) <= set(candidates) else None
        for name, candidates in zip(previous, distinct, strict=True)
    ]
    counts = [NAMED] * len(distinct)
    while True:
        naming = [name or candidates[:count] for name, candidates, count in zip(holding, distinct, counts, strict=True)]
        longer = [
            at
            for at, name in enumerate(naming)
            if naming.count(name) > 1 and not holding[at] and counts[at] < len(distinct[at])
        ]
        if not longer:
            return naming
        for at in longer:
            counts[at] += 1


def _names(naming: list[NamingTraits], traits: Traits) -> list[dict[Language, str]]:
    names: list[dict[Language, str]] = []
    for at, name in enumerate(naming):
        words = [traits.traits[column].high if is_high else traits.traits[column].low for column, is_high in name]
        twins = naming[:at].count(name)  # alike in every distinct trait
        number = f" ({twins + 1})" if twins else ""
        en, zh = ", ".join(word.en for word in words), "、".join(word.zh for word in words)
        names.append({"en": (en or "average customers") + number, "zh": (zh or "中等客户") + number})
    return names


def _profile(deviation: np.ndarray, order: np.ndarray, traits: Traits) -> dict[Language, str]:
    distinct = [column for column in order if abs(deviation[column]) >= DISTINCT][:PROFILED]
    high, low = ([at for at in distinct if deviation[at] > 0], [at for at in distinct if deviation[at] < 0])
    texts: dict[Language, tuple[tuple[str, str], str, str, str, str]] = {
        "en": (("high", "low"), ": ", ", ", "; ", "like the average customer"),
        "zh": (("偏高", "偏低"), "：", "、", "；", "与平均客户相近"),
    }
    profile: dict[Language, str] = {}
    for language, (heads, colon, comma, stop, nothing) in texts.items():
        sides = [
            head + colon + comma.join(getattr(traits.all[at].words, language) for at in columns)
            for head, columns in zip(heads, (high, low), strict=True)
            if columns
        ]
        profile[language] = stop.join(sides) or nothing
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
