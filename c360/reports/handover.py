"""What a relationship manager knows and the bank must keep: the pack with which a colleague takes over."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime

from rich.console import RenderableType
from rich.table import Table

from c360.reports import Row
from c360.reports.pages import money, render
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.language import ENGLISH, Language, Voice
from lakehouse.settings import Settings

LAST_CONTACTS = 3  # per customer
DAYS_AHEAD = 90
QUIET_DAYS = 90  # after which a complaint is no open action any more

_CUSTOMERS = """
    select
        customers.customer_key, assignments.assigned_date, customers.star_tier, customers.next_tier_gap_amount,
        customers.lower_tier_margin_amount, customers.life_cycle_stage, customers.aum_amount, customers.loan_amount,
        customers.currency, customers.risk_rating, customers.is_marketing_opt_out, customers.completeness_rate,
        customers.last_activity_date, customers.churn_probability, customers.churn_band,
        scores.reason_en as churn_reason_en, scores.reason_zh as churn_reason_zh
    from marts.customer_360 as customers
    left join scores.customer_scores as scores
        on customers.customer_key = scores.customer_key and scores.task = 'churn'
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
    select accounts.customer_key, accounts.maturity_date, accounts.product_code, products.product_name
    from marts.dim_account as accounts
    left join marts.dim_product as products on accounts.product_code = products.product_code
    where accounts.status <> 'closed' and accounts.maturity_date is not null
        and accounts.customer_key in (select customer_key from marts.rm_assignment where rm_id = $1 and is_current)
    order by accounts.maturity_date, accounts.account_no_token
"""

_OVERDUE = """
    select customer_key, days_past_due
    from marts.customer_360
    where days_past_due > 0
        and customer_key in (select customer_key from marts.rm_assignment where rm_id = $1 and is_current)
"""

_LISTED = """
    select customer_key, action_en, action_zh, reason_en, reason_zh, due_date
    from actions.worklist
    where is_handed_out
        and customer_key in (select customer_key from marts.rm_assignment where rm_id = $1 and is_current)
    order by priority, action_id
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


@dataclass(frozen=True)
class OpenAction:
    """What is still to be done for a customer."""

    what: str
    what_zh: str
    due_date: date | None

    def said(self, say: Voice) -> str:
        """The action, and until when."""
        what = self.what if say.language == "en" else self.what_zh
        return f"{what} {self.due_date or ''}".strip()


@dataclass(frozen=True)
class Contact:
    """A talk with a customer, or a complaint."""

    contact_at: datetime
    contact_kind: str
    channel: str
    purpose: str
    outcome: str | None
    rm_id: str

    def said(self, say: Voice) -> str:
        """When, over which channel, and what came of it."""
        came_of_it = say.code(self.outcome or self.contact_kind)
        return say.listed([f"{self.contact_at:%Y-%m-%d} {say.code(self.channel)}", came_of_it])

    def promised(self, say: Voice) -> str:
        """The contact as the promise that it ended in."""
        return f"{self.contact_at:%Y-%m-%d} ({say.code(self.purpose)})"


@dataclass(frozen=True)
class HandedCustomer:
    """One customer of the relationship manager."""

    facts: Row  # of customer_360, with assigned_date, and name where names are shown
    open_actions: list[OpenAction]  # what the worklist hands out first
    promises: list[Contact]  # contacts that ended in one, with neither a yes nor a no since; the newest first
    last_contacts: list[Contact]  # the newest first

    def document(self) -> Row:
        """What is printed as JSON: the facts, then the lists."""
        lists = {name: getattr(self, name) for name in ("open_actions", "promises", "last_contacts")}
        return {**self.facts, **lists}


@dataclass(frozen=True)
class HandoverReport:
    """The pack of one relationship manager, from what readers see."""

    rm_id: str
    branch_code: str
    left_date: date | None  # None while employed
    as_of_date: date
    customers: list[HandedCustomer]  # those with the most assets first

    def title(self, say: Voice) -> str:
        """Whose pack it is."""
        whose = {"number": self.rm_id, "code": self.branch_code}
        if self.left_date:
            return say("Hand-over of {number} (branch {code}, left on {date})", date=self.left_date, **whose)
        return say("Hand-over of {number} (branch {code})", **whose)

    @property
    def is_named(self) -> bool:
        """Whether customers' names are shown."""
        return any("name" in customer.facts for customer in self.customers)


def read(settings: Settings, rm_id: str, with_names: bool = False) -> HandoverReport:
    """The pack of one relationship manager.

    Parameters
    ----------
    with_names : bool
        Add the customers' names, which only the build engine holds; by default there are keys alone.

    Raises
    ------
    NoSuchManager
        If no customer is assigned to ``rm_id`` on the published date.
    """
    (manager,) = _rows(
        settings,
        "select min(branch_code) as branch_code, max(rm_left_date) as left_date, count(*) as assignments "
        "from marts.rm_assignment where rm_id = $1 and is_current",
        rm_id,
    )
    if not manager["assignments"]:
        raise NoSuchManager(f"{rm_id} has no customers today; marts.rm_assignment lists who has")
    as_of_date = warehouse.last_published(settings)
    contacts, maturities, overdue, listed = (
        _by_customer(_rows(settings, sql, rm_id)) for sql in (_CONTACTS, _MATURITIES, _OVERDUE, _LISTED)
    )
    names = _names(settings) if with_names else {}
    customers = []
    for facts in _rows(settings, _CUSTOMERS, rm_id):
        key = facts["customer_key"]
        talks = [Contact(**row) for row in contacts[key]]
        customers.append(
            HandedCustomer(
                facts={**facts, "name": names.get(key)} if with_names else facts,
                open_actions=[
                    *(
                        OpenAction(
                            f"{ENGLISH.of(row, 'action')}: {ENGLISH.of(row, 'reason')}; until",
                            f"{row['action_zh']}：{row['reason_zh']}；截止",
                            row["due_date"],
                        )
                        for row in listed[key]
                    ),
                    *_open_actions(talks, maturities[key], overdue[key], as_of_date),
                ],
                promises=_open_promises(talks),
                last_contacts=talks[:LAST_CONTACTS],
            )
        )
    return HandoverReport(rm_id, manager["branch_code"], manager["left_date"], as_of_date, customers)


def tables(report: HandoverReport, language: Language = "en") -> list[RenderableType]:
    """The pack, one line per customer."""
    say = Voice(language)
    about = say("{count} customers on {date}", count=len(report.customers), date=report.as_of_date)
    table = Table(title=f"{report.title(say)}: {about}", title_justify="left", title_style="bold")
    for name in (
        "Customer",
        *(["Name"] if report.is_named else []),
        "Tier",
        "Stage",
        "Assets",
        "Open actions",
        "Promised",
        "Last contact",
    ):
        table.add_column(say(name), justify="right" if name == "Assets" else "left")
    for customer in report.customers:
        facts = customer.facts
        last = next(iter(customer.last_contacts), None)
        table.add_row(
            facts["customer_key"],
            *([facts["name"] or "-"] if report.is_named else []),
            str(facts["star_tier"]),
            say.code(facts["life_cycle_stage"]),
            money(facts["aum_amount"]),
            "; ".join(action.said(say) for action in customer.open_actions),
            "; ".join(contact.promised(say) for contact in customer.promises),
            last.said(say) if last else say("never"),
        )
    return [table]


def page(report: HandoverReport, language: Language = "en") -> str:
    """The pack as one HTML page."""
    return render("handover.html.j2", Voice(language), report=report)


def _open_promises(contacts: list[Contact]) -> list[Contact]:
    """Promises since the customer last said yes or no; ``contacts`` are newest first."""
    promises = []
    for contact in contacts:
        if contact.outcome in ("accepted", "refused"):
            break
        if contact.outcome == "promised":
            promises.append(contact)
    return promises


def _open_actions(contacts: list[Contact], maturities: list[Row], overdue: list[Row], today: date) -> list[OpenAction]:
    return [
        *(
            OpenAction(f"loan {row['days_past_due']} days past due", f"贷款逾期 {row['days_past_due']} 天", today)
            for row in overdue
        ),
        *(
            OpenAction(
                f"{ENGLISH.name(row['product_name']) or row['product_code']} matures",
                f"{row['product_name'] or row['product_code']}到期",
                row["maturity_date"],
            )
            for row in maturities
            if 0 <= (row["maturity_date"] - today).days <= DAYS_AHEAD
        ),
        *(
            OpenAction(f"complaint about {contact.purpose}", f"投诉：{Voice('zh').code(contact.purpose)}", None)
            for contact in contacts
            if contact.contact_kind == "complaint" and (today - contact.contact_at.date()).days <= QUIET_DAYS
        ),
    ]


def _by_customer(rows: list[Row]) -> defaultdict[str, list[Row]]:
    """The rows of each customer, without the key."""
    grouped = defaultdict(list)
    for row in rows:
        grouped[row["customer_key"]].append({name: value for name, value in row.items() if name != "customer_key"})
    return grouped


def _names(settings: Settings) -> dict[str, str]:
    return {row["customer_key"]: row["name"] for row in warehouse.query(settings, _NAMES).to_pylist()}


def _rows(settings: Settings, sql: str, rm_id: str) -> list[Row]:
    return warehouse.query_serving(settings, sql, (rm_id,)).to_pylist()
