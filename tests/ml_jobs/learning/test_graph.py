"""The figures of the payment network equal those of networkx."""

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest

from ml_jobs.learning.graph import DAMPING, node_table


@pytest.fixture(scope="module")
def edges() -> list[tuple[str, str, float]]:
    """Two dense groups with one payment between them, a chain by itself, and a payment without weight."""
    draws = np.random.default_rng(7)
    pairs = {(f"{side}{a}", f"{side}{b}") for side in "AB" for a, b in draws.integers(0, 12, (80, 2)) if a != b}
    pairs |= {("A1", "B1"), ("C1", "C2"), ("C2", "C3")}
    weighted = [(payer, payee, float(draws.integers(1, 1000))) for payer, payee in sorted(pairs)]
    return [*weighted, ("C3", "C4", 0.0)]


def nodes_of(edges: list[tuple[str, str, float]]) -> list[dict]:
    payers, payees, weights = zip(*edges, strict=True)
    columns = (pa.chunked_array([pa.array(side, pa.string())]) for side in (payers, payees))
    return node_table(*columns, np.array(weights)).to_pylist()


def test_figures_equal_those_of_networkx(edges: list) -> None:
    graph = nx.DiGraph()
    graph.add_weighted_edges_from(edges)
    pagerank = nx.pagerank(graph, alpha=DAMPING, weight="weight", tol=1e-14, max_iter=1000)
    components = {key: part for part in nx.weakly_connected_components(graph) for key in part}
    nodes = nodes_of(edges)
    assert [node["node_key"] for node in nodes] == sorted(graph)
    for node in nodes:
        key = node["node_key"]
        assert node["in_degree"] == graph.in_degree(key)
        assert node["out_degree"] == graph.out_degree(key)
        assert node["pagerank"] == pytest.approx(pagerank[key], rel=1e-9)
        assert node["component_key"] == min(components[key])
        assert node["component_size"] == len(components[key])


def test_communities_are_as_good_as_those_of_networkx(edges: list) -> None:
    mutual = nx.Graph()
    for payer, payee, weight in edges:
        mutual.add_edge(payer, payee, weight=weight + mutual.get_edge_data(payer, payee, {"weight": 0})["weight"])
    nodes = nodes_of(edges)
    groups: dict[str, set[str]] = {}
    for node in nodes:
        groups.setdefault(node["community_key"], set()).add(node["node_key"])
    assert all(min(members) == key for key, members in groups.items())
    assert all(node["community_size"] == len(groups[node["community_key"]]) for node in nodes)
    theirs = nx.community.louvain_communities(mutual, weight="weight", seed=1)
    ours = nx.community.modularity(mutual, groups.values(), weight="weight")
    assert ours >= nx.community.modularity(mutual, theirs, weight="weight") - 1e-9


def test_the_order_of_the_edges_is_no_matter(edges: list) -> None:
    assert nodes_of(edges) == nodes_of(edges[::-1])


def test_no_payments_make_no_nodes() -> None:
    nothing = pa.chunked_array([pa.array([], pa.string())])
    assert node_table(nothing, nothing, np.array([])).num_rows == 0
