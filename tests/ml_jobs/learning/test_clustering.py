"""Groups of made-up customers: the planted ones are recovered, named apart, and keep their numbers."""

import numpy as np
import pytest

from ml_jobs.learning.clustering import (
    Clustering,
    Trait,
    Traits,
    Words,
    adjusted_rand,
    describe_clusters,
    fit_clusters,
    refit_agreement,
)

NAMES = ("assets", "digital", "branch", "credit")
CENTRES = np.array([[9, 9, 0, 0], [9, 0, 9, 0], [0, 9, 0, 9], [0, 0, 9, 9], [0, 0, 0, 0], [9, 9, 9, 9]])


def words(text: str) -> Words:
    return Words(en=text, zh=f"字{text}")


TRAITS = Traits(
    groups=(5, 8),
    months=3,
    least_customers=50,
    traits=tuple(
        Trait(name=name, features=(name,), words=words(name), high=words(f"much {name}"), low=words(f"no {name}"))
        for name in NAMES
    ),
)


def customers(seed: int = 1, count: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Values, and the planted group of each."""
    random = np.random.default_rng(seed)
    planted = random.integers(0, len(CENTRES), count)
    return CENTRES[planted] + random.normal(size=(count, len(NAMES))), planted


@pytest.fixture(scope="module")
def clustering() -> Clustering:
    return fit_clusters(customers()[0], TRAITS, None)[0]


def test_planted_clusters_are_recovered_by_the_criterion(clustering: Clustering) -> None:
    values, planted = customers()
    assert sorted(clustering.ids) == [1, 2, 3, 4, 5, 6]
    assigned, distance, confidence = clustering.assign(values)
    agreement = adjusted_rand(assigned, planted)
    assert agreement.low > 0.95 and agreement.low <= agreement.value <= agreement.high
    assert (distance >= 0).all() and (confidence >= 0).all() and (confidence <= 1).all()
    again = fit_clusters(values, TRAITS, None)[0]
    assert (again.centres.cluster_centers_ == clustering.centres.cluster_centers_).all()


def test_the_same_grouping_has_a_rand_index_of_one_and_chance_has_none() -> None:
    random = np.random.default_rng(2)
    one, other = random.integers(0, 5, (2, 4_000))
    same = adjusted_rand(one, (one + 3) % 5)
    assert same.value == same.low == same.high == 1
    assert abs(adjusted_rand(one, other).value) < 0.02


def test_who_did_not_change_stays_when_others_come(clustering: Clustering) -> None:
    values, _ = customers()
    alone = clustering.assign(values[:100])
    together = clustering.assign(np.vstack([values[:100], customers(seed=9)[0]]))
    for here, there in zip(alone, together, strict=True):
        assert (here == there[:100]).all()


def test_numbers_are_carried_on_to_the_next_model(clustering: Clustering) -> None:
    values, _ = customers(seed=4)
    after, _ = fit_clusters(values, TRAITS, clustering)
    assert sorted(after.ids) == sorted(clustering.ids)
    assert adjusted_rand(clustering.assign(values)[0], after.assign(values)[0]).value > 0.95
    assert (clustering.assign(values)[0] == after.assign(values)[0]).mean() > 0.95
    (alike,) = refit_agreement([customers(seed=4)[0], customers(seed=5)[0]], 6)
    assert alike.low > 0.9


def test_names_come_from_what_distinguishes_and_differ(clustering: Clustering) -> None:
    values, _ = customers()
    groups = describe_clusters(clustering, values, TRAITS, [])
    assert len({cluster["name"]["en"] for cluster in groups}) == len({cluster["name"]["zh"] for cluster in groups}) == 6
    assigned = clustering.assign(values)[0]
    for cluster in groups:
        mean = values[assigned == cluster["segment_id"]].mean(axis=0)
        for name, column in zip(NAMES, mean, strict=True):
            assert (f"no {name}" if column > 4.5 else f"much {name}") not in cluster["name"]["en"]
        assert {trait["trait"] for trait in cluster["traits"]} == set(NAMES)


def test_a_name_is_kept_as_long_as_it_holds(clustering: Clustering) -> None:
    values, _ = customers()
    groups = describe_clusters(clustering, values, TRAITS, [])
    first, second = (dict(cluster) for cluster in groups[:2])
    holding = list(first["named_by"])[:1]  # shorter than what would be used now
    failing = [[name, not is_high] for name, is_high in second["named_by"]]
    before = [first | {"named_by": holding}, second | {"named_by": failing}]
    after = describe_clusters(clustering, values, TRAITS, before)
    assert after[0]["named_by"] == holding and after[0]["name"]["en"] in first["name"]["en"]
    assert after[1]["name"] == second["name"]


def test_who_lacks_a_trait_is_in_the_middle(clustering: Clustering) -> None:
    values, _ = customers()
    assert (clustering.standardised(np.full((1, 4), np.nan)) == 0).all()
    assert np.abs(clustering.standardised(values).mean(axis=0)).max() < 0.01
