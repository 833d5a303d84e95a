"""What a relationship manager knows and the bank must keep: the pack with which a colleague takes over."""

from datetime import date
from typing import Any

from rich.table import Table

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings

LAST_CONTACTS = 3  # per customer
DAYS_AHEAD = 90
QUIET_DAYS = 90  # after which a complaint is no open action any more

_CUSTOMERS = """
    select
        customers.customer_key, assignments.assigned_date, customers.star_tier, customers.next_tier_gap_amount,
        customers.lower_tier_margin_amount, customers.life_cycle_stage, customers.aum_amount, customers.loan_amount,
        customers.currency, customers.risk_rating, customers.is_marketing_opt_out, customers.completeness_rate,
        customers.last_activity_date, customers.churn_probability, customers.churn_band, customers.churn_reason_en
    from marts.customer_360 as customers
    inner join (
        select customer_key, max(valid_from) as assigned_date
        from marts.rm_assignment
        where rm_id = $1 and is_current
        group by customer_key
    ) as assignments on customers.customer_key = assignments.customer_key
    order by customers.aum_amount desc, customers.customer_key
"""

_CONTACTS = """
    select parties.customer_key, contacts.contact_at, contacts.contact_kind, contacts.channel, contacts.purpose,
        contacts.outcome, contacts.rm_id
    from marts.fct_contacts as contacts
    inner join marts.dim_party as parties on contacts.party_key = parties.party_key
    where parties.customer_key in (select customer_key from marts.rm_assignment where rm_id = $1 and is_current)
    order by contacts.contact_at desc, contacts.contact_id
"""

_MATURITIES = """
    select customer_key, maturity_date, product_code
    from marts.dim_account
    where status <> 'closed' and maturity_date is not null
        and customer_key in (select customer_key from marts.rm_assignment where rm_id = $1 and is_current)
    order by maturity_date, account_no
"""

_OVERDUE = """
    select customer_key, days_past_due
    from marts.customer_360
    where days_past_due > 0
        and customer_key in (select customer_key from marts.rm_assignment where rm_id = $1 and is_current)
"""

_NAMES = """
    select xref.customer_key, min(customers.name) as name
    from staging.stg_branch__customers as customers
    inner join (
        select party_key, max(business_date) as business_date from staging.stg_branch__customers group by party_key
    ) as latest on customers.party_key = latest.party_key and customers.business_date = latest.business_date
    inner join pii.customer_xref as xref on customers.party_key = xref.party_key and xref.is_current
    group by xref.customer_key
"""


class NoSuchManager(Stop):
    """Nobody is assigned to that relationship manager today."""


def hand_over(settings: Settings, rm_id: str, with_names: bool = False) -> dict[str, Any]:
    """The pack of one relationship manager, from what readers see.

    Parameters
    ----------
    with_names : bool
        Add the customers' names, which only the build engine holds; by default there are keys alone.

    Returns
    -------
    dict
        ``rm_id``, ``branch_code``, ``left_date`` (None while employed), ``as_of_date`` and ``customers``, those with
        the most assets first: columns of ``customer_360``, ``assigned_date``, ``open_actions`` (each ``what`` and
        ``due_date``), ``promises`` (contacts that ended in one, with neither a yes nor a no since) and
        ``last_contacts`` (newest first).

    Raises
    ------
    NoSuchManager
        If no customer is assigned to ``rm_id`` on the published date.
    """
    managers = _rows(
        settings,
        "select min(branch_code) as branch_code, max(rm_left_date) as left_date, count(*) as assignments "
        "from marts.rm_assignment where rm_id = $1 and is_current",
        rm_id,
    )
    if not managers[0].pop("assignments"):
        raise NoSuchManager(f"{rm_id} has no customers today; marts.rm_assignment lists who has")
    as_of_date = warehouse.last_published(settings)
    contacts, maturities, overdue = (
        _by_customer(_rows(settings, sql, rm_id)) for sql in (_CONTACTS, _MATURITIES, _OVERDUE)
    )
    names = (
        {row["customer_key"]: row["name"] for row in warehouse.query(settings, _NAMES).to_pylist()}
        if with_names
        else {}
    )
    customers = _rows(settings, _CUSTOMERS, rm_id)
    for customer in customers:
        key = customer["customer_key"]
        told = contacts.get(key, [])
        if with_names:
            customer["name"] = names.get(key)
        customer["open_actions"] = _open_actions(told, maturities.get(key, []), overdue.get(key, []), as_of_date)
        customer["promises"] = _open_promises(told)
        customer["last_contacts"] = told[:LAST_CONTACTS]
    return {"rm_id": rm_id, **managers[0], "as_of_date": as_of_date, "customers": customers}


def pack_table(pack: dict[str, Any]) -> Table:
    """The pack for a person: one line per customer."""
    left = f", left on {pack['left_date']}" if pack["left_date"] else ""
    table = Table(
        title=f"Hand-over of {pack['rm_id']} (branch {pack['branch_code']}{left}): "
        f"{len(pack['customers'])} customers on {pack['as_of_date']}",
        title_justify="left",
        title_style="bold",
    )
    named = any("name" in customer for customer in pack["customers"])
    for name in (
        "customer",
        *(["name"] if named else []),
        "tier",
        "stage",
        "assets",
        "open actions",
        "promised",
        "last contact",
    ):
        table.add_column(name, justify="right" if name == "assets" else "left")
    for customer in pack["customers"]:
        last = next(iter(customer["last_contacts"]), None)
        table.add_row(
            customer["customer_key"],
            *([customer["name"] or "-"] if named else []),
            str(customer["star_tier"]),
            customer["life_cycle_stage"],
            f"{customer['aum_amount']:,.0f}",
            "; ".join(f"{action['what']} {action['due_date'] or ''}".strip() for action in customer["open_actions"]),
            "; ".join(f"{promise['contact_at']:%Y-%m-%d} ({promise['purpose']})" for promise in customer["promises"]),
            f"{last['contact_at']:%Y-%m-%d} {last['channel']}, {last['outcome'] or last['contact_kind']}"
            if last
            else "never",
        )
    return table


def _open_promises(contacts: list[dict]) -> list[dict]:
    """Promises since the customer last said yes or no; ``contacts`` are newest first."""
    promises = []
    for contact in contacts:
        if contact["outcome"] in ("accepted", "refused"):
            break
        if contact["outcome"] == "promised":
            promises.append(contact)
    return promises


def _open_actions(contacts: list[dict], maturities: list[dict], overdue: list[dict], today: date) -> list[dict]:
    complaints = [row for row in contacts if row["contact_kind"] == "complaint"]
    return [
        *({"what": f"loan {row['days_past_due']} days past due", "due_date": today} for row in overdue),
        *(
            {"what": f"{row['product_code']} matures", "due_date": row["maturity_date"]}
            for row in maturities
            if 0 <= (row["maturity_date"] - today).days <= DAYS_AHEAD
        ),
        *(
            {"what": f"complaint about {row['purpose']}", "due_date": None}
            for row in complaints
            if (today - row["contact_at"].date()).days <= QUIET_DAYS
        ),
    ]


def _by_customer(rows: list[dict]) -> dict[str, list[dict]]:
    grouped: dict[str, list[dict]] = {}
    for row in rows:
        grouped.setdefault(row.pop("customer_key"), []).append(row)
    return grouped


def _rows(settings: Settings, sql: str, rm_id: str) -> list[dict[str, Any]]:
    return warehouse.query_serving(settings, sql, (rm_id,)).to_pylist()
