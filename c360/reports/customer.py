"""One customer on one page: who, holdings, tier, stage, money, chain, changes, scores, next action, journey."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import cache

from markupsafe import Markup
from rich.console import RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from c360.reports import WHOSE, Query, Row, drawing
from c360.reports.pages import amount, money, render
from lakehouse import warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.language import ENGLISH, Language, Voice
from lakehouse.settings import PROJECT, Settings

ACCENT, SOFT, WARN = "#0b5cad", "#8fb8de", "#c2560a"
CLASSES = ("#0b5cad", "#c2560a", "#3a9679", "#8a5aa8", "#d4a017", "#5c6b7a", "#c3ccd6")  # of counterparties; all others
ACTION = "action"  # kind of a touch: what was done about an action of the worklist
BANDS = ("high", "medium", "low")
HOUSEHOLD = {"lets use": "{key} may use their accounts", "may use": "may use the accounts of {key}"}
OUTSIDE = "outside:"  # begins the key of an account that is no customer's; a token of it follows
TOKEN = 6  # characters of a token by which people tell two accounts apart
MONTHS = 12
CLOSED_DAYS = 31  # how long the page still shows what was closed or came due
SILENT_DAYS = 90  # after which a main payer's last date is told
FLOW_DAYS = 90  # over which fund_chain_runway measures cover and pace

# Whose rows: ``{of}`` stands after each customer_key, ``= $1`` for one of them or ``is not null`` for everybody.
_ACCOUNTS = """
    select accounts.customer_key as whose, accounts.account_no_token as asset_id, accounts.product_code,
        products.product_name, accounts.product_family, accounts.opened_date, accounts.maturity_date,
        balances.balance_amount as amount
    from marts.dim_account as accounts
    left join marts.dim_product as products on accounts.product_code = products.product_code
    left join (
        select account_no_token, coalesce(bank_balance_amount, balance_amount) as balance_amount,
            row_number() over (partition by account_no_token order by business_date desc) as recency
        from marts.fct_balances_daily
        where account_no_token in (select account_no_token from marts.dim_account where customer_key {of})
    ) as balances on accounts.account_no_token = balances.account_no_token and balances.recency = 1
    where accounts.customer_key {of} and accounts.status <> 'closed'
"""

_HOLDINGS = """
    select holdings.customer_key as whose, holdings.holding_id as asset_id, holdings.product_code,
        products.product_name, products.product_family, holdings.start_date as opened_date, holdings.maturity_date,
        holdings.market_value_amount as amount
    from (
        select held.*, parties.customer_key,
            row_number() over (partition by held.holding_id order by held.business_date desc) as recency
        from marts.fct_holdings_daily as held
        inner join marts.dim_party as parties on held.party_key = parties.party_key
        where parties.customer_key {of}
    ) as holdings
    left join marts.dim_product as products on holdings.product_code = products.product_code
    where holdings.recency = 1 and holdings.market_value_amount <> 0
"""

_CLOSINGS = f"""
    select accounts.customer_key as whose, accounts.product_code, products.product_name, accounts.closed_date,
        accounts.maturity_date, balances.debit_amount as amount
    from marts.dim_account as accounts
    inner join marts.customer_360 as customers on accounts.customer_key = customers.customer_key
    left join marts.dim_product as products on accounts.product_code = products.product_code
    left join marts.fct_balances_daily as balances
        on accounts.account_no_token = balances.account_no_token and accounts.closed_date = balances.business_date
    where accounts.customer_key {{of}} and accounts.closed_date > customers.as_of_date - interval '{CLOSED_DAYS} days'
    order by accounts.closed_date desc, accounts.account_no_token
"""

_PARTS = {
    "records": """
        select customer_key as whose, party_key, source, first_known_date
        from marts.dim_party where customer_key {of} order by first_known_date, party_key
    """,
    "holdings": f"{_ACCOUNTS} union all {_HOLDINGS} order by amount desc nulls last, asset_id",
    "closings": _CLOSINGS,
    "managers": """
        select customer_key as whose, rm_id, valid_from, valid_to, is_current, rm_left_date
        from marts.rm_assignment where customer_key {of} order by valid_from desc
    """,
    "leak": "select customer_key as whose, leaking.* from marts.leaking_customers as leaking where customer_key {of}",
    "months": """
        select customer_key as whose, as_of_date, deposit_amount, investment_amount, aum_amount, star_tier,
            life_cycle_stage
        from marts.customer_360_monthly where customer_key {of} order by as_of_date
    """,
    "stages": """
        select customer_key as whose, life_cycle_stage, valid_from, valid_to, reason_en, reason_zh
        from marts.customer_lifecycle_history where customer_key {of} order by valid_from desc
    """,
    "flow": f"""
        select flows.customer_key as whose, cast(date_trunc('month', flows.business_date) as date) as month_date,
            flows.counterparty_class, flows.direction, cast(sum(flows.txn_count) as bigint) as txn_count,
            cast(sum(flows.amount) as decimal(38,2)) as amount
        from marts.fund_flow_daily as flows
        inner join marts.customer_360 as customers on flows.customer_key = customers.customer_key
        where flows.customer_key {{of}} and flows.counterparty_class not in ('opening', 'own_transfer')
            and flows.business_date > customers.as_of_date - interval '{MONTHS} months'
        group by 1, 2, 3, 4 order by 2, 3, 4
    """,
    "payers": """
        select payee_key as whose, payer_key as other_key, relation, payment_count, payment_amount,
            payee_share as share, last_date
        from marts.fund_chain_edges where payee_key {of} and payer_rank <= 5 order by payer_rank
    """,
    "payees": """
        select payer_key as whose, payee_key as other_key, relation, payment_count, payment_amount,
            payer_share as share, last_date
        from marts.fund_chain_edges where payer_key {of} and payee_rank <= 5 order by payee_rank
    """,
    "household": """
        select customer_key as whose, related_customer_key, relation from marts.household_links
        where customer_key {of} order by relation, related_customer_key
    """,
    "runway": "select customer_key as whose, runway.* from marts.fund_chain_runway as runway where customer_key {of}",
    "losses": """
        select customer_key as whose, lost_role, lost_key, relation, lost_share
        from marts.fund_chain_losses where customer_key {of}
    """,
    "changes": """
        select customer_key as whose, change_rank, change_date, change_kind, sentence_en, sentence_zh
        from marts.customer_changes where customer_key {of} and change_rank <= 12 order by change_rank
    """,
    "scores": """
        select customer_key as whose, task, task_en, task_zh, measure, score, band, rank, as_of_date, horizon_days,
            reason_en, reason_zh
        from scores.customer_scores where customer_key {of} order by task
    """,
    "actions": """
        select customer_key as whose, source, action_en, action_zh, reason_en, reason_zh, channel, owner, due_date,
            is_handed_out, action_state,
            coalesce(block_reason, case when not is_handed_out then 'control group' end) as why_not
        from actions.worklist where customer_key {of} order by is_handed_out desc, priority, action_id
    """,
    "journey": """
        select touches.customer_key as whose, touches.touched_at, touches.channel, touches.touch_kind, touches.topic,
            touches.product_code, products.product_name, touches.is_own
        from (
            select journey.*,
                row_number() over (partition by journey.customer_key order by journey.touch_number desc) as recency
            from marts.fct_journey as journey
            where journey.customer_key {of}
        ) as touches
        left join marts.dim_product as products on touches.product_code = products.product_code
        where touches.recency <= 15
        order by touches.recency
    """,
}


PARTS = tuple(_PARTS)


class NoSuchCustomer(Stop):
    """Neither a customer nor a party record has that key on the published date."""


@dataclass(frozen=True)
class CustomerReport:
    """All that readers may know of one customer, without personal data; what a bank has no feeds for is empty."""

    customer: Row  # of customer_360
    scores: list[Row]  # of customer_scores, by task; a task that abstains has none
    records: list[Row]
    holdings: list[Row]  # the largest first
    closings: list[Row]  # accounts that were closed of late, the newest first
    managers: list[Row]  # who the customer is and was assigned to, the newest first
    leak: Row | None  # of leaking_customers
    months: list[Row]  # the oldest first
    stages: list[Row]  # the newest first
    flow: list[Row]  # per month, counterparty class and direction, over twelve months
    payers: list[Row]  # the five with the most money of late
    payees: list[Row]
    household: list[Row]
    runway: Row | None  # of fund_chain_runway
    losses: list[Row]
    changes: list[Row]  # the weightiest first
    actions: list[Row]  # of the worklist: what is to be done first, then what may not be done
    journey: list[Row]  # the newest first
    zone: tzinfo = UTC  # of the bank, in which times are shown

    def document(self) -> Row:
        """What is printed as JSON: as published, with times in UTC."""
        return {name: value for name, value in vars(self).items() if name != "zone"}


@dataclass(frozen=True)
class ClassFlow:
    """Money from and to one class of counterparties."""

    counterparty_class: str
    incoming: Decimal
    outgoing: Decimal


def read(settings: Settings, key: str) -> CustomerReport:
    """The report on one customer.

    Parameters
    ----------
    key : str
        Customer key, or the key of any party record of the customer.

    Raises
    ------
    NoSuchCustomer
        With a hint where keys are listed.
    """
    if warehouse.published_date(settings) is None:
        raise NoSuchCustomer("nothing is published yet", "run c360 run")
    with warehouse.shown(settings) as shown:
        return read_by(shown.query, key, load_deployment(settings.deployment).zone)


def read_by(query: Query, key: str, zone: tzinfo = UTC) -> CustomerReport:
    """The same by a function that answers queries, for instance over one publish that is held open."""
    customers = _rows(
        query,
        "select * from marts.customer_360 where customer_key = $1 "
        "or customer_key in (select customer_key from marts.dim_party where party_key = $1)",
        key,
    )
    if not customers:
        raise NoSuchCustomer(
            f"no customer or party record {key}",
            "marts.customer_360 lists customers, marts.dim_party their records; "
            "the key of a branch record is cif:<customer number>, of an online one online:<user>",
        )
    customer = customers[0]
    parts = {name: _rows(query, sql.format(of="= $1"), customer["customer_key"]) for name, sql in _PARTS.items()}
    return report_of(customer, parts, zone)


def statements() -> dict[str, str]:
    """The SQL of each part of the page for everybody at once; its column ``whose`` is the customer."""
    return {name: sql.format(of="is not null") for name, sql in _PARTS.items()}


def report_of(customer: Row, parts: Mapping[str, list[Row]], zone: tzinfo = UTC) -> CustomerReport:
    """The report from the customer's row of ``customer_360`` and the rows of every part."""
    rows = {name: [_without_owner(row) for row in found] for name, found in parts.items()}
    runway, leak = (next(iter(rows.pop(name)), None) for name in ("runway", "leak"))
    return CustomerReport(customer=customer, runway=runway, leak=leak, zone=zone, **rows)


def tables(report: CustomerReport, language: Language = "en") -> list[RenderableType]:
    """The report for a terminal."""
    customer, say = report.customer, Voice(language)
    heading = Panel(
        "\n".join(
            filter(None, [who(report, say), tier_distance(customer, say), stage(report, say), loans(customer, say)])
        ),
        title=Text.assemble((customer["customer_key"], "bold"), " ", say("as of {date}", date=customer["as_of_date"])),
        title_align="left",
    )
    actions = "\n".join(action_line(action, say) for action in report.actions)
    return [
        heading,
        *([Text.assemble((say("Next action"), "bold"), f"  {actions}")] if actions else []),
        _table(
            say,
            say("Latest changes"),
            ("Date", "Change"),
            ((row["change_date"], say.of(row, "sentence")) for row in report.changes),
        ),
        _scores_table(report, say),
        _holdings_table(report, say),
        *(Text(closing_line(row, customer["currency"], say)) for row in report.closings),
        _table(
            say,
            say("Money by counterparty, {months} months", months=MONTHS),
            ("Class", "In", "Out"),
            (
                (say.code(row.counterparty_class), money(row.incoming), money(row.outgoing))
                for row in flow_by_class(report)
            ),
        ),
        *([Text(leak_line(report.leak, customer["currency"], say))] if report.leak else []),
        _chain_table(report, say),
        _table(
            say,
            say("Last touches"),
            ("Time", "Channel", "What"),
            ((touch_time(row, report.zone), touch_channel(row, say), touch_line(row, say)) for row in report.journey),
        ),
    ]


def page(report: CustomerReport, language: Language = "en") -> str:
    """The report as one HTML page, with plots."""
    return render("customer.html.j2", Voice(language), **content(report, language))


def content(report: CustomerReport, language: Language = "en") -> dict[str, object]:
    """What the template of the page shows."""
    say = Voice(language)
    return {
        "report": report,
        "who": who(report, say),
        "tier_distance": tier_distance(report.customer, say),
        "stage": since(report, say),
        "scores": by_band(report.scores),
        "other_side": lambda edge: other_side(edge, say),
        "runway_line": runway_line(report.runway, say, report.payers) if report.runway else None,
        "leak_line": leak_line(report.leak, report.customer["currency"], say) if report.leak else None,
        "closing_line": lambda row: closing_line(row, report.customer["currency"], say),
        "touch_line": lambda touch: touch_line(touch, say),
        "touch_time": lambda touch: touch_time(touch, report.zone),
        "touch_channel": lambda touch: touch_channel(touch, say),
        "action_line": lambda action: action_line(action, say),
        "flow_rows": flow_by_class(report),
        "assets_plot": assets_plot(until_today(report), say) if report.months else None,
        "flow_plot": flow_plot(report.flow, say) if report.flow else None,
        "flow_months": MONTHS,
    }


def who(report: CustomerReport, say: Voice = ENGLISH) -> str:
    """Who it is, without a name, and with whom accounts are shared."""
    customer = report.customer
    kind = {"P": "person", "E": "enterprise"}.get(customer["party_type"], "customer")
    parts = [
        say({"F": "woman", "M": "man"}.get(customer["gender"], kind)),
        say("born {year}", year=customer["birth_year"]) if customer["birth_year"] and kind == "person" else "",
        say.name(customer["occupation"]),
        say.name(customer["city"]),
        say("branch {code}", code=customer["home_branch_code"]) if customer["home_branch_code"] else "",
        manager_line(customer["rm_id"], report.managers, say),
        say("in the group: {name}", name=name) if (name := say.of(customer, "segment_name")) else "",
        say("with us since {date}", date=customer["first_opened_date"]) if customer["first_opened_date"] else "",
        say("risk {rating}", rating=customer["risk_rating"]) if customer["risk_rating"] else "",
        say("does not want marketing") if customer["is_marketing_opt_out"] else "",
        *(say(HOUSEHOLD[row["relation"]], key=row["related_customer_key"]) for row in report.household),
    ]
    return say.listed(parts)


def manager_line(rm_id: str | None, managers: list[Row], say: Voice = ENGLISH) -> str:
    """Who looks after the customer; since when, and who did before, where that has changed."""
    current = next((row for row in managers if row["is_current"] and row["rm_id"] == rm_id), None)
    before = next((row for row in managers if not row["is_current"] and row["rm_id"] != rm_id), None)
    now = say("manager {number}", number=rm_id) if rm_id else say("no relationship manager")
    if before is None or (rm_id and current is None):
        return now
    since = current["valid_from"] if current else before["valid_to"]
    left = before["rm_left_date"]
    was = say("before {number}, who left on {date}" if left else "before {number}", number=before["rm_id"], date=left)
    if since is None:  # the assignment outlived the customer's last account
        return say("{manager} ({before})", manager=now, before=was)
    return say("{manager} since {date} ({before})", manager=now, date=since, before=was)


def loans(customer: Row, say: Voice = ENGLISH) -> str:
    """What is owed, and for how long it is overdue; empty without a loan."""
    if not customer["loan_amount"]:
        return ""
    owed = amount(customer["loan_amount"], customer["currency"], say)
    days = customer["days_past_due"]
    return say("owes {amount}", amount=owed) + (say(", {days} days past due", days=days) if days else "")


def closing_line(closing: Row, currency: str, say: Voice = ENGLISH) -> str:
    """An account that was closed of late: when, whether it came due, and what was paid out."""
    product = say.name(closing["product_name"]) or closing["product_code"]
    closed, due = closing["closed_date"], closing["maturity_date"]
    if due is None:
        said = say("{product}: closed on {date}", product=product, date=closed)
    elif closed < due:
        said = say("{product}: closed on {date}, before it was due on {due}", product=product, date=closed, due=due)
    else:
        said = say("{product}: came due on {date}", product=product, date=due)
    paid = closing["amount"]
    return said + (say(", {paid} paid out", paid=amount(paid, currency, say)) if paid else "")


def leak_line(leak: Row, currency: str, say: Voice = ENGLISH) -> str:
    """What went to outside funds and wallets in 30 days, beside what was there and the 30 days before."""
    if not leak["leak_30d_amount"]:
        return ""
    return say(
        "{amount} went to outside funds and wallets in 30 days ({share} of what was there); "
        "in the 30 days before {previous}",
        amount=amount(leak["leak_30d_amount"], currency, say),
        share=say.percent(leak["leak_rate"] or 0),
        previous=amount(leak["previous_30d_amount"], currency, say),
    )


def tier_distance(customer: Row, say: Voice = ENGLISH) -> str:
    """Star tier beside that of today's assets alone, and how far it is to the next and to the lower one."""
    tier, today, currency = customer["star_tier"], customer["current_star_tier"], customer["currency"]
    gap, margin = customer["next_tier_gap_amount"], customer["lower_tier_margin_amount"]
    parts = [say("1 star" if tier == 1 else "{tier} stars", tier=tier)]
    if today != tier:
        parts.append(say("{tier} by today's assets alone", tier=today))
    if gap is not None and gap > 0:
        parts.append(say("{gap} short of {tier} stars", gap=amount(gap, currency, say), tier=tier + 1))
    if tier > 1 and margin is not None:
        text = (
            "{margin} above the threshold of {tier}"
            if margin >= 0
            else "{margin} below the threshold of {tier}, kept by contribution or grace"
        )
        parts.append(say(text, margin=amount(abs(margin), currency, say), tier=tier))
    return say.listed(parts)


def stage(report: CustomerReport, say: Voice = ENGLISH) -> str:
    """Life-cycle stage of today, since when and why."""
    now, begun = say.code(report.customer["life_cycle_stage"]), since(report, say)
    return say("{stage} {since}", stage=now, since=begun) if begun else now


def since(report: CustomerReport, say: Voice = ENGLISH) -> str:
    """Since when a month-end showed today's stage, and why it is so today, however it began; empty where none did."""
    now, last = say.code(report.customer["life_cycle_stage"]), next(iter(report.stages), None)
    if last is None or say.code(last["life_cycle_stage"]) != now:
        return ""
    reason = say.of(_stage_reasons().get(report.customer["life_cycle_reason"], last), "reason")
    return say("since {date}", date=last["valid_from"]) + (say(": {why}", why=reason) if reason else "")


@cache
def _stage_reasons() -> dict[str, Row]:
    """The phrases of the seed, by the code that the customer's row has."""
    with (PROJECT / "dbt_project" / "seeds" / "life_cycle_reasons.csv").open(encoding="utf-8", newline="") as file:
        return {
            row["reason_code"]: {"reason_en": row["phrase_en"], "reason_zh": row["phrase_zh"]}
            for row in csv.DictReader(file)
        }


def runway_line(runway: Row, say: Voice = ENGLISH, payers: Sequence[Row] = ()) -> str:
    """Whether the money lasts, in a line; empty for who has left. A main payer who is silent is said to be."""
    if runway["chain_state"] == "left":
        return ""
    parts = []
    is_past = _counts_overdue_payers(runway)
    if runway["inflow_cover_rate"] is not None:
        text = "inflow covers {share} of outflow"
        if is_past:
            text = "inflow covered {share} of outflow, overdue payers' money included"
        parts.append(say(text, share=say.percent(runway["inflow_cover_rate"])))
    if (days := runway["runway_days"]) is not None and not is_past:
        text = "lasts {days} days at this pace" if days < 3650 else "lasts more than ten years at this pace"
        parts.append(say(text, days=f"{days:,}"))
    if runway["main_payer_share"] is not None:
        share, count = say.percent(runway["main_payer_share"]), runway["payer_count"]
        several = say("main payer {share} of {count} payers' money", share=share, count=count)
        parts.append(several if count > 1 else say("one payer alone"))
        last = next((row["last_date"] for row in payers), None)
        if last and (runway["as_of_date"] - last).days > SILENT_DAYS and not runway["broken_payer_count"]:
            parts.append(say("last paid on {date}", date=last))
    if runway["broken_payer_count"]:
        parts.append(say("payers overdue: {count}", count=runway["broken_payer_count"]))
        parts.append(say("the largest of them last paid on {date}", date=runway["broken_last_date"]))
    return say.listed(parts)


def _counts_overdue_payers(runway: Row) -> bool:
    """Whether the flows of the last days hold money of payers who broke the inflow: their pace is over."""
    last = runway["broken_last_date"] if runway["chain_state"] == "inflow broken" else None
    return last is not None and (runway["as_of_date"] - last).days < FLOW_DAYS


def action_line(action: Row, say: Voice = ENGLISH) -> str:
    """What to do, why, how and until when; or that it may not be done, and why not."""
    what = say.of(action, "action") or say.code(action["source"])
    why = say.of(action, "reason") or say("no reason given")
    said = say("{what}: {why}", what=what, why=why)
    if not action["is_handed_out"]:
        return said + say(" (not done: {why})", why=say.code(action["why_not"]))
    state = "" if action["action_state"] == "open" else say(", {state}", state=say.code(action["action_state"]))
    return said + say(
        " ({owner} over {channel}, until {date}{state})",
        owner=say.code(action["owner"]),
        channel=say.code(action["channel"]),
        date=action["due_date"],
        state=state,
    )


def touch_line(touch: Row, say: Voice = ENGLISH) -> str:
    """One touch of the journey."""
    product = say.name(touch["product_name"]) or touch["product_code"] or ""
    parts = [
        say.code(touch["touch_kind"]) if touch["touch_kind"] != "event" else "",
        say.code(touch["topic"]),
        product,
    ]
    return say.listed(parts) + ("" if touch["is_own"] else say(" (by the bank)"))


def touch_channel(touch: Row, say: Voice = ENGLISH) -> str:
    """The channel; what was done about an action of the list is no campaign, by whichever channel it was."""
    return say.code("worklist") if touch["touch_kind"] == ACTION else say.code(touch["channel"])


def touch_time(touch: Row, zone: tzinfo) -> str:
    """When it was, by the bank's clock; of an action the day, which is all that is reported."""
    moment: datetime = touch["touched_at"]
    if touch["touch_kind"] == ACTION:
        return f"{moment:%Y-%m-%d}"
    return f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M}"


def other_side(edge: Row, say: Voice = ENGLISH) -> str:
    """Who pays or is paid: a customer's key, or an account outside by the beginning of its token."""
    key: str = edge["other_key"]
    if not key.startswith(OUTSIDE):
        return key
    return say("outside ({token})", token=key.removeprefix(OUTSIDE)[:TOKEN])


def by_band(scores: list[Row]) -> list[Row]:
    """The scores to look at first in front: by band, then the likeliest."""
    return sorted(scores, key=lambda row: (BANDS.index(row["band"]), -row["score"], row["task"]))


def flow_by_class(report: CustomerReport) -> list[ClassFlow]:
    """Money in and out per counterparty class, the largest first."""
    classes: dict[str, dict[str, Decimal]] = {}
    for row in report.flow:
        sums = classes.setdefault(row["counterparty_class"], {"C": Decimal(), "D": Decimal()})
        sums["C" if row["direction"] == "C" else "D"] += row["amount"]
    rows = [ClassFlow(name, sums["C"], sums["D"]) for name, sums in classes.items()]
    return sorted(rows, key=lambda row: -(row.incoming + row.outgoing))


def until_today(report: CustomerReport) -> list[Row]:
    """The month-ends and, where it is none of them, the day of the report: what left yesterday is to be seen."""
    today = report.customer
    return [row for row in report.months if row["as_of_date"] != today["as_of_date"]] + [today]


def assets_plot(days: list[Row], say: Voice) -> Markup:
    """Deposits and investments by date, and the star tier above them."""
    return drawing.stacked_areas(
        say("Assets and star tier at month-ends, and today"),
        [f"{row['as_of_date']:%m/%y}" for row in days],
        [
            drawing.Series(say(name), color, [float(row[f"{name.removesuffix('s')}_amount"]) for row in days])
            for name, color in (("deposits", ACCENT), ("investments", SOFT))
        ],
        drawing.Series(say("star tier"), WARN, [row["star_tier"] for row in days]),
        most=7,
    )


def flow_plot(flow: list[Row], say: Voice) -> Markup:
    """Money in (up) and out (down) per month, by the six largest classes."""
    months = sorted({row["month_date"] for row in flow})
    sums: dict[str, float] = {}
    for row in flow:
        sums[row["counterparty_class"]] = sums.get(row["counterparty_class"], 0) + float(row["amount"])
    largest = sorted(sums, key=lambda name: -sums[name])[: len(CLASSES) - 1]
    names = [*largest, *(["other"] if len(sums) > len(largest) else [])]

    def series(is_in: bool) -> list[drawing.Series]:
        amounts = {name: [0.0] * len(months) for name in names}
        for row in flow:
            if (row["direction"] == "C") == is_in:
                name = row["counterparty_class"] if row["counterparty_class"] in largest else "other"
                amounts[name][months.index(row["month_date"])] += float(row["amount"])
        return [
            drawing.Series(say.code(name), color, amounts[name]) for name, color in zip(names, CLASSES, strict=False)
        ]

    ticks = [f"{month:%m/%y}" for month in months]
    return drawing.stacked_bars(say("Money in and out by counterparty"), ticks, series(True), series(False))


def _scores_table(report: CustomerReport, say: Voice) -> RenderableType:
    return _table(
        say,
        say("Scores"),
        ("Score", "Probability", "Band", "Because of"),
        (
            (say.of(score, "task"), say.percent(score["score"], 1), say.code(score["band"]), say.of(score, "reason"))
            for score in by_band(report.scores)
        ),
    )


def _holdings_table(report: CustomerReport, say: Voice) -> RenderableType:
    return _table(
        say,
        say("Holdings, {currency}", currency=report.customer["currency"]),
        ("Product", "Family", "Amount", "Opened", "Matures"),
        (
            (
                say.name(row["product_name"]) or row["product_code"],
                say.code(row["product_family"]),
                money(row["amount"]),
                row["opened_date"],
                row["maturity_date"],
            )
            for row in report.holdings
        ),
    )


def _chain_table(report: CustomerReport, say: Voice) -> RenderableType:
    runway = report.runway
    title = say("Fund chain")
    if runway:
        title = say.listed([f"{title} {say.code(runway['chain_state'])}", runway_line(runway, say, report.payers)])
    return _table(
        say,
        title,
        ("", "Who", "Relation", "Recent share", "Amount", "Last"),
        (
            (
                say(role),
                other_side(row, say),
                say.code(row["relation"]),
                say.percent(row["share"] or 0),
                money(row["payment_amount"]),
                row["last_date"],
            )
            for role, rows in (("paid by", report.payers), ("pays", report.payees))
            for row in rows
        ),
    )


def _table(say: Voice, title: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> RenderableType:
    lines = [tuple("" if value is None else str(value) for value in row) for row in rows]
    if not lines:
        return Text.assemble((title, "bold"), f"  {say('none')}")
    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        right = name in ("Amount", "In", "Out", "Recent share", "Probability")
        table.add_column(say(name) if name else "", justify="right" if right else "left")
    for line in lines:
        table.add_row(*line)
    return table


def _without_owner(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != WHOSE}


def _rows(query: Query, sql: str, key: str) -> list[Row]:
    return query(sql, (key,)).to_pylist()
