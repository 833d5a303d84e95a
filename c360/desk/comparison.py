"""What differs between two states of the build engine: of a few customers each figure, of all tables the rows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

PUBLISHED = ("marts", "features", "scores", "actions")  # schemas that readers see, and that are of customers
RUN_COLUMNS = ("run_id", "scored_at", "published_at")  # differ between equal runs
PARTS = ("customer", "score", "probability", "contact", "worklist", "expected", "household")
OF_CUSTOMER = (
    "star_tier",
    "life_cycle_stage",
    "aum_amount",
    "deposit_amount",
    "investment_amount",
    "loan_amount",
    "average_aum_3m_amount",
    "contribution_3m_amount",
    "lifetime_value_amount",
    "open_account_count",
    "product_family_count",
    "party_count",
    "rm_id",
    "home_branch_code",
    "segment_name_en",
    "segment_name_zh",
    "risk_rating",
    "is_marketing_opt_out",
)
OF_POLICY = (
    "is_allowed",
    "block_reason",
    "bank_contact_count_30d",
    "bank_contact_count_90d",
    "last_contact_date",
    "preferred_channel",
    "owner",
)


def _unpivoted(part: str, table: str, names: Iterable[str]) -> str:
    rows = (
        f"select customer_key, '{part}' as part, '{name}' as name, cast({name} as varchar) as value "
        f"from {{state}}.{table}"
        for name in names
    )
    return " union all ".join(rows)


# Customer, part, name of a figure, and its value as text, in one state of the engine.
_FIGURES = f"""
{_unpivoted("customer", "build_marts.customer_360", OF_CUSTOMER)}
union all
{_unpivoted("contact", "build_actions.contact_policy", OF_POLICY)}
union all
select customer_key, 'score', task, band from {{state}}.build_scores.customer_scores where as_of_date = $day
union all
select customer_key, 'probability', task, cast(round(score, 3) as varchar)
from {{state}}.build_scores.customer_scores where as_of_date = $day
union all
select customer_key, 'worklist', source, string_agg(state, ', ' order by state)
from (
    select customer_key, source,
           case when is_handed_out then owner else coalesce(block_reason, 'control_group') end as state
    from {{state}}.build_actions.worklist
) as listed
group by customer_key, source
union all
select customer_key, 'expected', source, cast(sum(expected_amount) as varchar)
from {{state}}.build_actions.worklist group by customer_key, source having sum(expected_amount) is not null
union all
select customer_key, 'household', related_customer_key, string_agg(relation, ', ' order by relation)
from {{state}}.build_marts.household_links group by customer_key, related_customer_key
"""
# Of other customers, what somebody would act upon: a rank among all, or a value in the third decimal, is no change.
_TELLING = """
part in ('score', 'worklist', 'household') or name in ('star_tier', 'life_cycle_stage', 'rm_id', 'is_allowed',
                                                       'block_reason')
"""


@dataclass(frozen=True)
class Move:
    """A party record that changes its customer; None: it belonged to none yet."""

    party_key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Figure:
    """A figure of a customer in both states; None where there is none."""

    customer_key: str
    part: str  # one of `PARTS`
    name: str
    before: str | None
    after: str | None

    @property
    def is_changed(self) -> bool:
        """Whether the two differ."""
        return self.before != self.after


@dataclass(frozen=True)
class TableChange:
    """Rows of a table that only one of the states has."""

    gone: int
    new: int


def moves(before: Path, after: Path, day: date) -> list[Move]:
    """Records that belong to another customer on a date by the later of two cross-references."""
    customers = [_customers_of(path, day) for path in (before, after)]
    return [
        Move(key, customers[0].get(key), customers[1].get(key))
        for key in sorted({*customers[0], *customers[1]})
        if customers[0].get(key) != customers[1].get(key)
    ]


def is_equal(before: Path, after: Path) -> bool:
    """Whether two cross-references say the same of every date."""
    one, other = (pq.read_table(path) for path in (before, after))
    return one.sort_by(_XREF_ORDER).equals(other.sort_by(_XREF_ORDER))


def customers_of(xref: Path, day: date, records: Collection[str]) -> set[str]:
    """The customers on a date that hold one of the records."""
    customers = _customers_of(xref, day)
    return {customers[key] for key in records if key in customers}


def records_of(xref: Path, day: date, customers: Collection[str] | None = None) -> set[str]:
    """The records that belong to one of the customers on a date; by default to any."""
    return {key for key, customer in _customers_of(xref, day).items() if customers is None or customer in customers}


def figures(before: Path, after: Path, day: date, customers: Collection[str]) -> tuple[list[Figure], list[Figure]]:
    """All figures of some customers; of everybody else, those that differ and that somebody would act upon.

    Parameters
    ----------
    before, after : Path
        Build files of DuckDB; nobody writes to them meanwhile.
    """
    with _attached(before, after) as con:
        rows = con.execute(
            f"""
            with one as ({_FIGURES.format(state="before")}), other as ({_FIGURES.format(state="after")})
            select customer_key, part, name, one.value, other.value
            from one full join other using (customer_key, part, name)
            where list_contains($customers, customer_key)
                  or one.value is distinct from other.value and ({_TELLING})
            """,
            {"day": day, "customers": list(customers)},
        ).fetchall()
    found = sorted(
        (Figure(*row) for row in rows),
        key=lambda one: (PARTS.index(one.part), _place(one), one.name, one.customer_key),
    )
    return (
        [one for one in found if one.customer_key in customers],
        [one for one in found if one.customer_key not in customers],
    )


def tables(before: Path, after: Path) -> dict[str, TableChange]:
    """The published tables whose rows differ, by name; the columns that name a run are no matter, views follow."""
    with _attached(before, after) as con:
        changed = {}
        for table, names in _columns(con).items():
            hashes = {con.execute(_hash(f"{state}.{table}", names)).fetchall()[0] for state in ("before", "after")}
            if len(hashes) > 1:
                gone, new = (con.execute(_only_in(table, names, *order)).fetchall()[0][0] for order in _ORDERS)
                changed[table.removeprefix("build_")] = TableChange(gone, new)
        return changed


_XREF_ORDER = [("party_key", "ascending"), ("valid_from", "ascending")]
_ORDERS = (("before", "after"), ("after", "before"))


def _only_in(table: str, names: Iterable[str], one: str, other: str) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"select count(*) from (select {listed} from {one}.{table} except all select {listed} from {other}.{table})"


def _hash(table: str, names: Iterable[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"select count(*), sum(cast(hash({listed}) as hugeint)) from {table}"


def _columns(con: duckdb.DuckDBPyConnection) -> Mapping[str, list[str]]:
    """Table -> its columns, of those that both states have."""
    rows = con.execute(
        "select schema_name || '.' || table_name, list(column_name order by column_index) from duckdb_columns() "
        "where database_name = 'after' and list_contains($schemas, schema_name) "
        "and not list_contains($without, column_name) and (schema_name, table_name) in "
        "(select (schema_name, table_name) from duckdb_tables() where database_name = 'after') "
        "group by 1 order by 1",
        {"schemas": [f"build_{schema}" for schema in PUBLISHED], "without": list(RUN_COLUMNS)},
    ).fetchall()
    return dict(rows)


def _attached(before: Path, after: Path) -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    for name, path in (("before", before), ("after", after)):
        con.execute(f"attach '{path}' as {name} (read_only)")
    return con


def _customers_of(xref: Path, day: date) -> dict[str, str]:
    """Record -> customer on a date."""
    return {
        row["party_key"]: row["customer_key"]
        for row in pq.read_table(xref).to_pylist()
        if row["valid_from"] <= day and (row["valid_to"] is None or row["valid_to"] > day)
    }


def _place(figure: Figure) -> int:
    names = {"customer": OF_CUSTOMER, "contact": OF_POLICY}.get(figure.part, ())
    return names.index(figure.name) if figure.name in names else 0
