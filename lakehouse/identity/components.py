"""Components: party records that evidence of any time ties, even through others. What is as it was is taken over.

The customers of a component follow from its own records, edges and facts (see `memberships`). Beside each
cross-reference, ``identity/components/`` keeps a seal per component: what they were, and what came of them. A later run
forms only those components anew whose seal no longer fits; without such a file, all of them.
"""

import inspect
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from lakehouse.catalog import CUSTOMER_XREF
from lakehouse.identity import clusters, evidence
from lakehouse.identity.clusters import Membership, memberships
from lakehouse.lake import appearing
from lakehouse.lake.places import components_file

# The digest of a set of lines does not depend on their order; no two lines of a component are equal.
_INPUTS = """
create temp table inputs as
select component, bit_xor(md5_number_lower(line)) as digest
from (
    select component, concat_ws('|', 'party', party_key, known_from, known_to) as line
    from members join parties using (party_key)
    union all
    select component, concat_ws('|', 'edge', a, b, rule, known_from, known_to, coalesce(cast(weight as varchar), ''),
                                tolerates_id_no, tolerates_birth_date, tolerates_party_type, is_alone)
    from members join edges on a = party_key
    union all
    select component, concat_ws('|', 'fact', party_key, kind, value, known_from, known_to)
    from members join facts using (party_key)
) as lines
group by component
"""
# An HMAC: the facts are documents and dates, which a plain digest would let others try out.
_SEALS = """
create or replace temp table seals as
select component, cast('0x' || left(token(concat_ws('|', getvariable('method'), inputs.digest, bit_xor(md5_number_lower(
           concat_ws('|', party_key, customer_key, rule, coalesce(cast(match_weight as varchar), ''), valid_from,
                     coalesce(cast(valid_to as varchar), '')))))), 16) as ubigint) as seal
from {rows} join members using (party_key) join inputs using (component)
group by component, inputs.digest
"""


def create_xref(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make ``xref``, the customers of all party records, from ``parties``, ``edges`` and ``facts``.

    What the last cross-reference holds of components that are as they were is kept; the seals of all components go to
    the lake, beside the cross-reference ``path``.
    """
    con.execute("set variable method = md5($1)", [inspect.getsource(clusters)])
    _create_members(con)
    con.execute(_INPUTS)
    _keep(con, path)
    con.execute(
        "create temp table changed as select * from members where component not in (select component from kept)"
    )
    table = _table(memberships(*evidence.of_changed(con)))
    con.register("formed", table)
    con.execute(
        "create temp table xref as select * from ("
        "select last_xref.* from last_xref join members using (party_key) join kept using (component) "
        "union all by name select * from formed) order by party_key, valid_from"
    )
    con.execute(_SEALS.format(rows="formed"))
    con.unregister("formed")
    con.execute("insert into seals from kept")
    with appearing(components_file(path)) as temporary:
        con.execute(f"copy (from seals order by component) to '{temporary}' (format parquet, compression zstd)")


def _create_members(con: duckdb.DuckDBPyConnection) -> None:
    """Make ``members``: the component of every party record, which is the smallest key in it."""
    from scipy.sparse import coo_array  # of the steps of a date one alone joins records
    from scipy.sparse.csgraph import connected_components

    con.execute(
        "create temp table numbered as "
        "select party_key, row_number() over (order by party_key) - 1 as number from parties"
    )
    ties = con.execute(
        "select lefts.number as a, rights.number as b from edges "
        "join numbered as lefts on lefts.party_key = a join numbered as rights on rights.party_key = b"
    ).fetchnumpy()
    ((count,),) = con.execute("select count(*) from numbered").fetchall()
    graph = coo_array((np.ones(len(ties["a"]), dtype=bool), (ties["a"], ties["b"])), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    con.register("labelled", pa.table({"number": np.arange(count), "label": labels}))
    con.execute(
        "create temp table members as select party_key, min(party_key) over (partition by label) as component "
        "from numbered join labelled using (number)"
    )
    con.unregister("labelled")


def _keep(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make ``last_xref``, and ``kept``: the components whose seal fits what is known now and what came of it then."""
    con.register("nothing", CUSTOMER_XREF.arrow_schema.empty_table())
    con.execute("create temp table last_xref as from nothing")
    con.execute("create temp table kept (component varchar, seal ubigint)")
    last = _last(path)
    if last is None:
        return
    try:
        con.execute("insert into last_xref by name from read_parquet($file)", {"file": str(last)})
        con.execute(_SEALS.format(rows="last_xref"))
        con.execute(
            "insert into kept select component, seal from seals join read_parquet($file) using (component, seal)",
            {"file": str(components_file(last))},
        )
    except duckdb.Error:  # a file that cannot be read keeps nothing
        con.execute("delete from kept")


def _last(path: Path) -> Path | None:
    """The newest cross-reference with seals that is not later than ``path``, else the earliest."""
    known = [file for file in path.parent.glob("[!.]*.parquet") if components_file(file).exists()]
    return max((file for file in known if file.name <= path.name), default=min(known, default=None))


def _table(rows: list[Membership]) -> pa.Table:
    schema = CUSTOMER_XREF.arrow_schema
    return pa.Table.from_pydict({name: [getattr(row, name) for row in rows] for name in schema.names}, schema)
