"""The daily brief of a branch, or of a manager: what happened to their customers, and what became of actions."""

from datetime import date, timedelta
from functools import lru_cache, partial
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from c360.access import Sees
from c360.api.sight import CUSTOMER
from c360.api.snapshot import Snapshot
from c360.app.keeping import Kept
from c360.app.pages.cases import open_cases
from c360.app.workbench import Visit, Workbench
from c360.reports import Query, Row

KEPT_BRIEFS = 512  # of branches and managers
DAYS = 7  # back, and ahead for what matures
_MINE = "select customer_key from marts.customer_360 where {column} = $1"
_PARTS = {
    "money_moved": """
        select customer_key, business_date as day, amount, asset_share, is_serious
        from marts.outflow_alerts
        where customer_key in ({mine}) and business_date > {since}
        order by business_date desc, amount desc, customer_key
    """,
    "matures": """
        select accounts.customer_key, accounts.maturity_date as day, products.product_name,
            coalesce(balances.bank_balance_amount, balances.balance_amount) as amount
        from marts.dim_account as accounts
        left join marts.dim_product as products on accounts.product_code = products.product_code
        left join (
            select *, row_number() over (partition by account_no_token order by business_date desc) as recency
            from marts.fct_balances_daily
            where account_no_token in (
                select account_no_token from marts.dim_account
                where maturity_date > {today} and maturity_date <= {ahead} and status <> 'closed'
            )
        ) as balances on accounts.account_no_token = balances.account_no_token and balances.recency = 1
        where accounts.customer_key in ({mine}) and accounts.status <> 'closed'
            and accounts.maturity_date > {today} and accounts.maturity_date <= {ahead}
        union all
        select parties.customer_key, holdings.maturity_date as day, products.product_name,
            holdings.market_value_amount as amount
        from (
            select held.*, row_number() over (partition by held.holding_id order by held.business_date desc) as recency
            from marts.fct_holdings_daily as held
            where held.maturity_date > {today} and held.maturity_date <= {ahead}
        ) as holdings
        inner join marts.dim_party as parties on holdings.party_key = parties.party_key
        left join marts.dim_product as products on holdings.product_code = products.product_code
        where holdings.recency = 1 and holdings.market_value_amount <> 0 and parties.customer_key in ({mine})
        order by day, amount desc nulls last, customer_key
    """,
    "tiers": """
        select customer_key, valid_from as day, previous_star_tier, star_tier
        from marts.customer_tier_history
        where customer_key in ({mine}) and valid_from > {since} and previous_star_tier is not null
        order by valid_from desc, customer_key
    """,
    "complained": """
        select parties.customer_key, contacts.business_date as day, contacts.purpose, contacts.severity,
            contacts.channel
        from marts.fct_contacts as contacts
        inner join marts.dim_party as parties on contacts.party_key = parties.party_key
        where contacts.contact_kind = 'complaint' and contacts.business_date > {since}
            and parties.customer_key in ({mine})
        order by contacts.business_date desc, parties.customer_key
    """,
    "joined": """
        select customer_key, first_opened_date as day, aum_amount as amount
        from marts.customer_360
        where {column} = $1 and first_opened_date > {since}
        order by first_opened_date desc, customer_key
    """,
    "outcomes": """
        select contacts.outcome, contacts.channel, count(*) as action_count, max(contacts.business_date) as day
        from marts.fct_contacts as contacts
        inner join marts.dim_party as parties on contacts.party_key = parties.party_key
        where contacts.contact_kind = 'action' and contacts.business_date = {today} and parties.customer_key in ({mine})
        group by contacts.outcome, contacts.channel
        order by action_count desc, contacts.outcome, contacts.channel
    """,
}


def routes(workbench: Workbench) -> APIRouter:
    """The brief."""
    router = APIRouter()
    briefs: Kept[dict[str, list[Row]]] = Kept(KEPT_BRIEFS)

    @router.get("/brief")
    def page(visit: Annotated[Visit, workbench.may("brief", "brief:read")]) -> Response:
        branches = branches_of(visit.shown)
        column, value = _whose(visit, branches)
        if visit.asked.get("branch", value) != value:
            workbench.refuse(visit)
        with workbench.reading.shown(visit.shown.publish_id) as shown:
            read = partial(read_brief, shown.query, visit.shown.business_date, column, value)
            parts = briefs.once((shown.publish_id, column, value), read)
        customers = [row["customer_key"] for rows in parts.values() for row in rows if "customer_key" in row]
        workbench.note(visit, "view", "brief", customers or [None], value)
        choices = branches if visit.person.sees is Sees.all else ()
        cases = open_cases(workbench, visit)
        return workbench.page(
            visit, "brief.html.j2", parts=parts, column=column, value=value, choices=choices, cases=cases
        )

    return router


def read_brief(query: Query, today: date, column: str, value: str) -> dict[str, list[Row]]:
    """The parts of the brief, by name.

    Parameters
    ----------
    column, value : str
        Whose customers: column of ``customer_360``, ``home_branch_code`` or ``rm_id``, and its value.
    """
    days = {
        "today": f"date '{today}'",
        "since": f"date '{today - timedelta(days=DAYS)}'",
        "ahead": f"date '{today + timedelta(days=DAYS)}'",
    }
    mine = _MINE.format(column=column)
    parts = {
        name: query(sql.format(column=column, mine=mine, **days), (value,)).to_pylist() for name, sql in _PARTS.items()
    }
    tiers = parts.pop("tiers")
    return parts | {
        "rose": [row for row in tiers if row["star_tier"] > row["previous_star_tier"]],
        "fell": [row for row in tiers if row["star_tier"] < row["previous_star_tier"]],
    }


@lru_cache(maxsize=2)
def branches_of(shown: Snapshot) -> tuple[str, ...]:
    """The branches that have customers."""
    rows = shown.rows(CUSTOMER, {}, ("home_branch_code",))
    return tuple(sorted({str(row["home_branch_code"]) for row in rows if row["home_branch_code"] is not None}))


def _whose(visit: Visit, branches: tuple[str, ...]) -> tuple[str, str]:
    """Column of ``customer_360`` and its value: the branch or manager that the brief is about."""
    match visit.person.sees:
        case Sees.own:
            return "rm_id", visit.person.rm_id or ""
        case Sees.branch:
            return "home_branch_code", visit.person.branch_code or ""
        case Sees.all:
            asked = visit.asked.get("branch", "")
            return "home_branch_code", asked if asked in branches else next(iter(branches), "")
        case _:
            return "home_branch_code", ""  # of no branch: who sees customers of a list has no brief
