"""How many customers conditions choose now, and how many of them may be contacted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.tags.definition import Condition
from lakehouse.tags.rendering import condition_sql, from_sql, tables_of

_BLOCK = (  # as marts.customer_tags has it
    "case when policy.customer_key is null then 'unknown to the policy' when not policy.is_allowed "
    "then policy.block_reason when policy.is_control then 'control group' end"
)


@dataclass(frozen=True)
class Preview:
    """What conditions choose of the customers of the published date."""

    business_date: date
    members: int
    contactable: int
    blocked: dict[str, int]  # reason of the contact policy -> customers


def count(settings: Settings, conditions: Sequence[Condition], matching: str = "all") -> Preview:
    """Count in the published store: whoever meets all of the conditions, or any.

    Raises
    ------
    Stop
        If nothing is published, or a condition does not fit the published columns.
    """
    today = warehouse.last_published(settings)
    condition = condition_sql(conditions, matching, today, settings.target)
    rows = warehouse.query_serving(
        settings,
        f"select {_BLOCK} as reason, count(*) as customers {from_sql(tables_of(conditions))} "
        "left join actions.contact_policy as policy on customer_360.customer_key = policy.customer_key "
        f"where {condition} group by 1 order by 2 desc, 1",
    ).to_pylist()
    counts = {row["reason"]: row["customers"] for row in rows}
    return Preview(today, sum(counts.values()), counts.pop(None, 0), counts)
