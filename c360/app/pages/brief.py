"""The daily brief of a branch, or of a manager: what happened to their customers, and what became of actions."""

from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from c360.access import Sees
from c360.api.prepared import Prepared
from c360.api.sight import CUSTOMER
from c360.api.snapshot import Snapshot
from c360.app.pages.cases import open_cases
from c360.app.workbench import Visit, Workbench
from c360.reports import Row

DAYS = 7  # back, and ahead for what matures
COLUMNS = ("home_branch_code", "rm_id")  # of customer_360: whose brief it is
_PARTS = {
    "money_moved": """
        select customers.{column} as whose, alerts.customer_key, alerts.business_date as day, alerts.amount,
            alerts.asset_share, alerts.is_serious
        from marts.outflow_alerts as alerts
        inner join marts.customer_360 as customers on alerts.customer_key = customers.customer_key
        where alerts.business_date > {since}
        order by alerts.business_date desc, alerts.amount desc, alerts.customer_key
    """,
    "matures": """
        select customers.{column} as whose, maturing.customer_key, maturing.maturity_date as day,
            products.product_name, maturing.amount
        from (
            select accounts.customer_key, accounts.product_code, accounts.maturity_date,
                coalesce(balances.bank_balance_amount, balances.balance_amount) as amount
            from marts.dim_account as accounts
            left join (
                select *, row_number() over (partition by account_no_token order by business_date desc) as recency
                from marts.fct_balances_daily
                where account_no_token in (
                    select account_no_token from marts.dim_account
                    where maturity_date > {today} and maturity_date <= {ahead} and status <> 'closed'
                )
            ) as balances on accounts.account_no_token = balances.account_no_token and balances.recency = 1
            where accounts.status <> 'closed' and accounts.maturity_date > {today} and accounts.maturity_date <= {ahead}
            union all
            select parties.customer_key, holdings.product_code, holdings.maturity_date,
                holdings.market_value_amount as amount
            from (
                select held.*,
                    row_number() over (partition by held.holding_id order by held.business_date desc) as recency
                from marts.fct_holdings_daily as held
                where held.maturity_date > {today} and held.maturity_date <= {ahead}
            ) as holdings
            inner join marts.dim_party as parties on holdings.party_key = parties.party_key
            where holdings.recency = 1 and holdings.market_value_amount <> 0
        ) as maturing
        inner join marts.customer_360 as customers on maturing.customer_key = customers.customer_key
        left join marts.dim_product as products on maturing.product_code = products.product_code
        order by maturing.maturity_date, maturing.amount desc nulls last, maturing.customer_key
    """,
    "tiers": """
        select customers.{column} as whose, tiers.customer_key, tiers.valid_from as day, tiers.previous_star_tier,
            tiers.star_tier
        from marts.customer_tier_history as tiers
        inner join marts.customer_360 as customers on tiers.customer_key = customers.customer_key
        where tiers.valid_from > {since} and tiers.is_move
        order by tiers.valid_from desc, tiers.customer_key
    """,
    "complained": """
        select customers.{column} as whose, parties.customer_key, contacts.business_date as day, contacts.purpose,
            contacts.severity, contacts.channel
        from marts.fct_contacts as contacts
        inner join marts.dim_party as parties on contacts.party_key = parties.party_key
        inner join marts.customer_360 as customers on parties.customer_key = customers.customer_key
        where contacts.contact_kind = 'complaint' and contacts.business_date > {since}
        order by contacts.business_date desc, parties.customer_key
    """,
    "joined": """
        select {column} as whose, customer_key, first_opened_date as day, aum_amount as amount
        from marts.customer_360
        where first_opened_date > {since}
        order by first_opened_date desc, customer_key
    """,
    "outcomes": """
        select customers.{column} as whose, contacts.outcome, contacts.channel, count(*) as action_count,
            max(contacts.business_date) as day
        from marts.fct_contacts as contacts
        inner join marts.dim_party as parties on contacts.party_key = parties.party_key
        inner join marts.customer_360 as customers on parties.customer_key = customers.customer_key
        where contacts.contact_kind = 'action' and contacts.business_date = {today}
        group by customers.{column}, contacts.outcome, contacts.channel
        order by action_count desc, contacts.outcome, contacts.channel
    """,
}


def routes(workbench: Workbench) -> APIRouter:
    """The brief."""
    router = APIRouter()

    @router.get("/brief")
    def page(visit: Annotated[Visit, workbench.may("brief", "brief:read")]) -> Response:
        branches = branches_of(visit.shown)
        column, value = _whose(visit, branches)
        if visit.asked.get("branch", value) != value:
            workbench.refuse(visit)
        parts = read_brief(visit.shown.prepared, column, value)
        customers = [row["customer_key"] for rows in parts.values() for row in rows if "customer_key" in row]
        workbench.note(visit, "view", "brief", customers or [None], value)
        choices = branches if visit.person.sees is Sees.all else ()
        cases = open_cases(workbench, visit)
        return workbench.page(
            visit, "brief.html.j2", parts=parts, column=column, value=value, choices=choices, cases=cases
        )

    return router


def statements(today: date) -> dict[str, str]:
    """The SQL of each part, of all branches and of all managers."""
    days = {
        "today": f"date '{today}'",
        "since": f"date '{today - timedelta(days=DAYS)}'",
        "ahead": f"date '{today + timedelta(days=DAYS)}'",
    }
    return {
        _name(column, part): sql.format(column=column, **days) for column in COLUMNS for part, sql in _PARTS.items()
    }


def read_brief(prepared: Prepared, column: str, value: str) -> dict[str, list[Row]]:
    """The parts of the brief, by name.

    Parameters
    ----------
    column, value : str
        Whose customers: one of `COLUMNS`, and its value.
    """
    parts = {part: prepared.of(_name(column, part), value) for part in _PARTS}
    tiers = parts.pop("tiers")
    return parts | {
        "rose": [row for row in tiers if row["star_tier"] > row["previous_star_tier"]],
        "fell": [row for row in tiers if row["star_tier"] < row["previous_star_tier"]],
    }


def waiting(visit: Visit) -> list[tuple[str, int]]:
    """What the brief of the person begins with: the name of a text, and how many; nothing of the whole bank."""
    if visit.person.sees is Sees.all:
        return []
    parts = read_brief(visit.shown.prepared, *_whose(visit, ()))
    return [("{count} outflows", len(parts["money_moved"])), ("{count} mature soon", len(parts["matures"]))]


def _name(column: str, part: str) -> str:
    return f"brief.{column}.{part}"


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
