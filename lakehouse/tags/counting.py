"""How many customers conditions choose now, and how many of them may be contacted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.tags.definition import Condition
from lakehouse.tags.rendering import condition_sql, from_sql, tables_of

_BLOCK = (  # as marts.customer_tags has it
    "case when policy.customer_key is null then 'unknown to the policy' when not policy.is_allowed "
    "then policy.block_reason when policy.is_control then 'control group' end"
)
Query = Callable[[str, tuple[object, ...]], pa.Table]


@dataclass(frozen=True)
class Preview:
    """What conditions choose of the customers of the published date."""

    business_date: date
    members: int
    contactable: int
    blocked: dict[str, int]  # reason of the contact policy -> customers
    each: tuple[int, ...]  # by condition: customers who meet it, whatever the others say


def count(settings: Settings, conditions: Sequence[Condition], matching: str = "all") -> Preview:
    """Count in the published store: whoever meets all of the conditions, or any.

    Raises
    ------
    Stop
        If nothing is published, or a condition does not fit the published columns.
    """
    with warehouse.shown(settings) as shown:
        return count_by(shown.query, settings.target, conditions, matching)


def counted_day(query: Query) -> date:
    """The day whose customers are published; what is published of ``ops`` may be later, after a day that failed.

    Raises
    ------
    Stop
        If no customer is published.
    """
    (row,) = query("select max(as_of_date) as day from marts.customer_360", ()).to_pylist()
    if row["day"] is None:
        raise Stop("no customer is published", "run a business date (c360 run)")
    return row["day"]


def count_by(query: Query, dialect: str, conditions: Sequence[Condition], matching: str) -> Preview:
    """Count by queries of one publish.

    Parameters
    ----------
    dialect
        ``duckdb`` or ``postgres``.
    """
    today = counted_day(query)
    whole = condition_sql(conditions, matching, today, dialect)
    alone = [condition_sql([condition], matching, today, dialect) for condition in conditions]
    sums = ", ".join(
        f"cast(sum(case when {one} then 1 else 0 end) as bigint) as count_{place}"
        for place, one in enumerate([whole, *alone])
    )
    rows = query(
        f"select {_BLOCK} as reason, {sums} {from_sql(tables_of(conditions))} "
        "left join actions.contact_policy as policy on customer_360.customer_key = policy.customer_key "
        "group by 1 order by 2 desc, 1",
        (),
    ).to_pylist()
    counts = {row["reason"]: row["count_0"] for row in rows if row["count_0"]}
    each = tuple(sum(row[f"count_{place}"] for row in rows) for place in range(1, len(alone) + 1))
    return Preview(today, sum(counts.values()), counts.pop(None, 0), counts, each)
