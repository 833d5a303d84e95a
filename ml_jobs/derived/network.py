"""The measures of the payment network's nodes, as a file of the lake."""

from pathlib import Path

import pyarrow.parquet as pq

from lakehouse import warehouse
from lakehouse.catalog import NETWORK
from lakehouse.lake import Pin, appearing, pinned_path
from lakehouse.settings import Settings


def write_network(settings: Settings, pin: Pin) -> Path:
    """Write the nodes of ``marts.fund_chain_edges``, which must be built from ``pin``; returns the lake file.

    A file that is already in the lake is kept.
    """
    path = pinned_path(settings.lake, NETWORK.name, pin)
    if path.exists():
        return path
    from ml_jobs.learning.graph import node_table  # igraph is imported only where a graph is made

    edges = warehouse.query(
        settings,
        "select payer_key, payee_key, cast(recent_amount as double precision) as weight "
        "from build_marts.fund_chain_edges",
    )
    nodes = node_table(edges["payer_key"], edges["payee_key"], edges["weight"].to_numpy())
    with appearing(path) as temporary:
        pq.write_table(nodes.cast(NETWORK.arrow_schema), temporary, compression="zstd")
    return path
