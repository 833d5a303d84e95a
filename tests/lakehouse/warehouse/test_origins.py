"""Every published column has a row for each column that it derives from, and says what kind of column that is."""

from lakehouse.warehouse import derivation, origins
from lakehouse.warehouse.derivation import Lineage


def test_every_published_column_says_what_it_comes_from() -> None:
    direct = {
        "marts.t.key": {"build_intermediate.i.key"},
        "build_intermediate.i.key": {"customers.phone_token", "raw.customer_xref.customer_key"},
        "marts.t.has_phone": {"customers.phone", "customers.phone_token", "build_seeds.customer_attributes.rank"},
        "marts.t.row_count": set(),
    }
    found = origins.rows(Lineage(derivation.tokens() | {column: frozenset(read) for column, read in direct.items()}))
    assert [tuple(row.values())[2:] for row in found] == [
        ("has_phone", "seed", None, "build_seeds.customer_attributes", "rank"),
        ("has_phone", "feed", "branch", "customers", "phone"),
        ("key", "token", "branch", "customers", "phone"),
        ("key", "step", None, "raw.customer_xref", "customer_key"),
        ("row_count", "none", None, None, None),
    ]
    assert {(row["schema_name"], row["table_name"]) for row in found} == {("marts", "t")}
