"""Measures of the nodes of a payment graph, by igraph: degrees, PageRank, components, communities."""

import random

import igraph
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

DAMPING = 0.85
LEIDEN_SEED = 20250101  # another seed moves customers between communities


def node_table(payers: pa.ChunkedArray, payees: pa.ChunkedArray, weights: np.ndarray) -> pa.Table:
    """Measures of every node, whatever the order of the edges.

    Parameters
    ----------
    payers, payees : pyarrow.ChunkedArray of string
        Ends of the edges; no edge is repeated, none is a loop.
    weights : ndarray of shape (edges,)
        Not negative.

    Returns
    -------
    pyarrow.Table
        One row per node, by key. Components and communities (Leiden, modularity, of the graph without directions, over
        the weights) are named by their smallest key.
    """
    both = pa.chunked_array([*payers.chunks, *payees.chunks], pa.string())
    keys = pc.take(pc.unique(both), pc.array_sort_indices(pc.unique(both)))
    places = pc.index_in(both, keys).to_numpy()
    pairs = places.reshape(2, -1).T
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    pairs, weights = pairs[order], weights[order]
    graph = igraph.Graph(n=len(keys), edges=pairs, directed=True)
    graph.es["weight"] = weights
    components = np.array(graph.connected_components("weak").membership, dtype=np.int64)
    return pa.table(
        {
            "node_key": keys,
            "in_degree": graph.indegree(),
            "out_degree": graph.outdegree(),
            "pagerank": np.round(graph.pagerank(damping=DAMPING, weights="weight"), 15),
            **_groups("component", components, keys),
            **_groups("community", _communities(graph), keys),
        }
    )


def _communities(graph: igraph.Graph) -> np.ndarray:
    mutual = graph.as_undirected(combine_edges="sum")
    igraph.set_random_number_generator(random.Random(LEIDEN_SEED))
    communities = mutual.community_leiden("modularity", weights="weight", n_iterations=2)
    return np.array(communities.membership, dtype=np.int64)


def _groups(name: str, membership: np.ndarray, keys: pa.Array) -> dict[str, object]:
    """Key and size of the group of every node; nodes are in the order of their keys."""
    _, first, inverse, sizes = np.unique(membership, return_index=True, return_inverse=True, return_counts=True)
    return {f"{name}_key": keys.take(pa.array(first[inverse])), f"{name}_size": sizes[inverse]}
