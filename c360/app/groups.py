"""Who is in a group of customers, a tag or a segment: those whom a person sees, page by page, the most assets first."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from c360.api.sight import cut_of
from c360.app.keeping import Kept
from c360.app.workbench import Visit, Workbench
from c360.reports import Query, Row

KEPT_GROUPS = 64  # whose keys need not be asked for again
PAGE = 25
Kind = Literal["tag", "segment"]
KINDS: tuple[Kind, ...] = ("tag", "segment")
_KEYS = {
    "tag": "select tagged.customer_key from marts.customer_tags as tagged inner join marts.customer_360 as customers "
    "on tagged.customer_key = customers.customer_key where tagged.tag = $1 "
    "order by customers.aum_amount desc nulls last, tagged.customer_key",
    "segment": "select customer_key from marts.customer_360 where cast(segment_id as varchar) = $1 "
    "order by aum_amount desc nulls last, customer_key",
}
_ROWS = """
    select customers.customer_key, customers.home_branch_code, customers.rm_id, customers.star_tier,
        customers.life_cycle_stage, customers.aum_amount,
        coalesce(policy.is_allowed and not policy.is_control, false) as is_contactable,
        case
            when policy.customer_key is null then 'unknown to the policy'
            when not policy.is_allowed then policy.block_reason
            when policy.is_control then 'control group'
        end as block_reason
    from marts.customer_360 as customers
    left join actions.contact_policy as policy on customers.customer_key = policy.customer_key
    where customers.customer_key in ({places})
    order by customers.aum_amount desc nulls last, customers.customer_key
"""


@dataclass(frozen=True)
class Listing:
    """One page of a group, of the customers that a person sees."""

    rows: Sequence[Row]
    count: int  # whom the person sees of the group
    number: int  # of the page, from 1 on
    size: int = PAGE

    @property
    def keys(self) -> list[str | None]:
        """The customers on the page, for the journal."""
        return [row["customer_key"] for row in self.rows] or [None]


class Groups:
    """The groups of the last publish."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._keys: Kept[list[str]] = Kept(KEPT_GROUPS)

    def listing(self, visit: Visit, kind: Kind, name: str) -> Listing:
        """The page of a group that is asked for by ``page`` in the address."""
        cut = cut_of(visit.person, visit.shown)
        with self._workbench.reading.shown(visit.shown.publish_id) as shown:
            keys = self._keys.once((shown.publish_id, kind, name), partial(keys_of, shown.query, kind, name))
            mine = [key for key in keys if key in cut.customers] if cut else keys
            number = visit.page_of(len(mine), PAGE)
            here = mine[(number - 1) * PAGE : number * PAGE]
            rows = rows_of(shown.query, here)
        return Listing(rows, len(mine), number)

    def tags(self, visit: Visit) -> list[str]:
        """The tags that customers may have today."""
        return [row["tag"] for row in visit.shown.prepared.rows("groups.tags")]

    def segments(self, visit: Visit) -> list[Row]:
        """The segments that customers are in: number, and name in both languages."""
        return [*visit.shown.prepared.rows("groups.segments")]


def statements() -> dict[str, str]:
    """The SQL of the groups that there are: active tags, and segments that somebody is in."""
    return {
        "groups.tags": "select tag from marts.tags where is_current and state = 'active' order by tag",
        "groups.segments": """
            select segment_id, segment_name_en, segment_name_zh from marts.customer_360 where segment_id is not null
            group by segment_id, segment_name_en, segment_name_zh order by segment_id
        """,
    }


def keys_of(query: Query, kind: Kind, name: str) -> list[str]:
    """Who is in a group, the most assets first."""
    return query(_KEYS[kind], (name,))["customer_key"].to_pylist()


def rows_of(query: Query, keys: Sequence[str]) -> list[Row]:
    """Customers with what a list shows of them, and whether they may be contacted."""
    places = ", ".join(f"${place}" for place in range(1, len(keys) + 1))
    return query(_ROWS.format(places=places), tuple(keys)).to_pylist() if keys else []
